//! WebKit's questions: where to go, whether to open a window, whether to permit something.
//!
//! Asked by the webview's own signals, because wry's navigation handler is asked for frames, too, and is not told of the
//! user's gesture.

use crate::navigation::{self, Verdict};
use crate::permissions;
use crate::shell::{Shell, origin_of};
use gtk::gdk::ModifierType;
use gtk::glib::prelude::{Cast, ObjectExt};
use gtk::glib::translate::ToGlibPtr;
use staysail_protocol::permission::Permission;
use std::cell::RefCell;
use std::sync::Arc;
use webkit2gtk::{
    LoadEvent, NavigationAction, NavigationPolicyDecision, NavigationPolicyDecisionExt, NavigationType,
    PermissionRequest, PermissionRequestExt, PolicyDecision, PolicyDecisionExt, PolicyDecisionType,
    ResponsePolicyDecision, ResponsePolicyDecisionExt, URIRequestExt, UserMediaPermissionRequest,
    UserMediaPermissionRequestExt, WebView as GtkWebView, WebViewExt,
};

/// The middle button of the mouse, as GDK numbers them.
const MIDDLE_BUTTON: u32 = 2;

/// Decides for this view from now on.
pub fn decide(view: &GtkWebView, shell: &Arc<Shell>, label: &str) {
    let decider = Decider { shell: shell.clone(), label: label.to_string(), last: RefCell::default() };
    view.connect_decide_policy(move |_, decision, kind| {
        let stay = match kind {
            PolicyDecisionType::Response if decider.is_for_download(decision) => {
                decision.download();
                return true;
            }
            PolicyDecisionType::NavigationAction => decider.navigation(decision),
            PolicyDecisionType::NewWindowAction => {
                decider.new_window(action_of(decision).as_ref());
                true
            }
            PolicyDecisionType::Response => decider.answer(decision),
            _ => false,
        };
        if stay {
            decision.ignore();
        }
        // What is not forbidden is left to whoever else has something to say of it, a download for instance.
        stay
    });
    let (shell_then, label_then) = (shell.clone(), label.to_string());
    // Of the window only: frames load without it. It comes before the page is asked for.
    view.connect_load_changed(move |_, event| {
        if event == LoadEvent::Started {
            shell_then.assets.begins_load(&label_then);
        }
    });
    let (shell_then, label_then) = (shell.clone(), label.to_string());
    view.connect_create(move |_, action| {
        let address = address_of(action);
        navigation::new_window(&shell_then, &label_then, &address, Some(action.is_user_gesture()));
        None
    });
    let (shell, label) = (shell.clone(), label.to_string());
    view.connect_permission_request(move |view, request| {
        let (address, wanted) = (view.uri(), wanted(request));
        if permissions::permits(&shell, &label, address.as_deref(), &wanted, request.type_().name()) {
            request.allow();
        } else {
            request.deny();
        }
        true
    });
}

struct Decider {
    shell: Arc<Shell>,
    label: String,
    /// The address last let pass without knowing whether a frame goes there, and whether the user did something.
    last: RefCell<Option<(String, bool)>>,
}

impl Decider {
    /// Somebody goes somewhere. Whether it is forbidden.
    fn navigation(&self, decision: &PolicyDecision) -> bool {
        let Some(action) = action_of(decision) else { return false };
        let is_link = action.navigation_type() == NavigationType::LinkClicked;
        let beside = action.mouse_button() == MIDDLE_BUTTON
            || ModifierType::from_bits_truncate(action.modifiers()).contains(ModifierType::CONTROL_MASK);
        if is_link && beside {
            self.new_window(Some(&action));
            return true;
        }
        let (address, gesture) = (address_of(&action), action.is_user_gesture());
        if is_link && self.may_be_downloaded(&address) {
            // WebKit knows whether the link is one to download. If it is none, the answer is held back below.
            return false;
        }
        match navigation::somewhere(&self.shell, &self.label, &address, Some(gesture)) {
            Verdict::Go => false,
            Verdict::Later => {
                *self.last.borrow_mut() = Some((address, gesture));
                false
            }
            Verdict::Stay => true,
        }
    }

    /// What the page has made itself, or is of an origin that downloads may come from.
    fn may_be_downloaded(&self, address: &str) -> bool {
        let own = address.strip_prefix("blob:").and_then(origin_of);
        own.is_some_and(|origin| self.shell.is_allowed_origin(&self.label, &origin))
            || address.starts_with("data:")
            || self.is_download_origin(address)
    }

    fn is_download_origin(&self, address: &str) -> bool {
        let settings = self.shell.facts().config.webview;
        origin_of(address).is_some_and(|origin| settings.download_origins.contains(&origin))
    }

    /// Whether a link of the window leads to an origin of which nothing is shown in it, but may be downloaded.
    fn is_for_download(&self, decision: &PolicyDecision) -> bool {
        let Some(response) = decision.downcast_ref::<ResponsePolicyDecision>() else { return false };
        let address = response.request().and_then(|request| request.uri()).unwrap_or_default();
        response.is_main_frame_main_resource()
            && self.is_download_origin(&address)
            && !navigation::is_allowed(&self.shell, &self.label, &address)
    }

    fn new_window(&self, action: Option<&NavigationAction>) {
        if let Some(action) = action {
            let gesture = Some(action.is_user_gesture());
            navigation::new_window(&self.shell, &self.label, &address_of(action), gesture);
        }
    }

    /// The head of an answer is there, and with it whether the window itself would show it.
    fn answer(&self, decision: &PolicyDecision) -> bool {
        let Some(response) = decision.downcast_ref::<ResponsePolicyDecision>() else { return false };
        if !response.is_main_frame_main_resource() {
            return false;
        }
        let address = response.request().and_then(|request| request.uri()).unwrap_or_default();
        let last = self.last.take().filter(|(last, _)| *last == address);
        let gesture = last.is_some_and(|(_, gesture)| gesture);
        !navigation::window_goes(&self.shell, &self.label, &address, Some(gesture))
    }
}

fn action_of(decision: &PolicyDecision) -> Option<NavigationAction> {
    decision.downcast_ref::<NavigationPolicyDecision>()?.navigation_action()
}

fn address_of(action: &NavigationAction) -> String {
    action.request().and_then(|request| request.uri()).map(String::from).unwrap_or_default()
}

/// What a request is for; nothing when it has no name in a capability.
fn wanted(request: &PermissionRequest) -> Vec<Permission> {
    if let Some(media) = request.downcast_ref::<UserMediaPermissionRequest>() {
        let pointer: *mut webkit2gtk_sys::WebKitUserMediaPermissionRequest = media.to_glib_none().0;
        // SAFETY: `media` is alive for the call, which only reads it.
        let is_display =
            unsafe { webkit2gtk_sys::webkit_user_media_permission_is_for_display_device(pointer) } != 0;
        let asked = [
            (is_display, Permission::DisplayCapture),
            (media.is_for_audio_device(), Permission::Microphone),
            (media.is_for_video_device() && !is_display, Permission::Camera),
        ];
        return asked
            .into_iter()
            .filter_map(|(is_asked, permission)| is_asked.then_some(permission))
            .collect();
    }
    // By name, for some of these types are younger than the WebKit that is needed at least.
    let permission = match request.type_().name() {
        "WebKitGeolocationPermissionRequest" => Permission::Geolocation,
        "WebKitNotificationPermissionRequest" => Permission::Notifications,
        "WebKitPointerLockPermissionRequest" => Permission::PointerLock,
        "WebKitMediaKeySystemPermissionRequest" => Permission::MediaKeys,
        "WebKitDeviceInfoPermissionRequest" => Permission::DeviceInfo,
        "WebKitClipboardPermissionRequest" => Permission::ClipboardRead,
        "WebKitWebsiteDataAccessPermissionRequest" => Permission::StorageAccess,
        "WebKitXRPermissionRequest" => Permission::Xr,
        _ => return Vec::new(),
    };
    vec![permission]
}
