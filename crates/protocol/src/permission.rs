//! What a page asks the webview itself for, and what the user's devices would answer: camera, place, notifications, …
//!
//! There is no prompt: a window's capabilities decide once for all (`permissions = ["microphone"]`), and without one the
//! answer is no. The system may still ask the user, where it does so of every program.

use serde::{Deserialize, Serialize};

/// Something a page may be permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Pictures of the camera (`getUserMedia`).
    Camera,
    /// Sound of the microphone (`getUserMedia`).
    Microphone,
    /// Pictures of the screen (`getDisplayMedia`).
    DisplayCapture,
    /// Names of cameras and microphones (`enumerateDevices`).
    DeviceInfo,
    /// Where the user is (`navigator.geolocation`).
    Geolocation,
    /// Web notifications (`Notification`). Those of `@staysail/api` are the feature `notification.show`.
    Notifications,
    /// Text and pictures that others put into the clipboard (`navigator.clipboard.read`).
    ClipboardRead,
    /// Taking the mouse pointer away (`requestPointerLock`).
    PointerLock,
    /// Protected media (`requestMediaKeySystemAccess`).
    MediaKeys,
    /// Cookies and storage of foreign frames (`requestStorageAccess`).
    StorageAccess,
    /// MIDI devices.
    Midi,
    /// Motion and light sensors.
    Sensors,
    /// Names and data of installed fonts (`queryLocalFonts`).
    LocalFonts,
    /// Where screens and windows are (`getScreenDetails`).
    WindowManagement,
    /// Several downloads in a row without the user's doing.
    AutomaticDownloads,
    /// Reading and writing files the user chooses (`showOpenFilePicker`).
    FileSystemAccess,
    /// Sound and film that start by themselves.
    Autoplay,
    /// Virtual and augmented reality (`navigator.xr`).
    Xr,
}

impl Permission {
    /// Its name in `staysail.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::DisplayCapture => "display_capture",
            Self::DeviceInfo => "device_info",
            Self::Geolocation => "geolocation",
            Self::Notifications => "notifications",
            Self::ClipboardRead => "clipboard_read",
            Self::PointerLock => "pointer_lock",
            Self::MediaKeys => "media_keys",
            Self::StorageAccess => "storage_access",
            Self::Midi => "midi",
            Self::Sensors => "sensors",
            Self::LocalFonts => "local_fonts",
            Self::WindowManagement => "window_management",
            Self::AutomaticDownloads => "automatic_downloads",
            Self::FileSystemAccess => "file_system_access",
            Self::Autoplay => "autoplay",
            Self::Xr => "xr",
        }
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Permission;

    #[test]
    fn a_permission_is_named_as_it_is_written() {
        for permission in
            [Permission::DisplayCapture, Permission::Xr, Permission::MediaKeys, Permission::Camera]
        {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.name());
        }
    }
}
