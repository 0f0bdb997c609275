//! Named limits and their defaults (law 8: every wait has a bound, every size a limit).
//!
//! Units come last in each name. The guide's table of limits (`docs/guide/limits.md`) lists the same names.

/// Largest head (JSON part) of a frame between processes.
pub const FRAME_HEAD_BYTES_MAX: usize = 4 << 20;
/// Largest body of a frame between processes.
pub const FRAME_BODY_BYTES_MAX: usize = 512 << 20;
/// Largest request of a page: the body of the largest frame, and room for what says where it goes.
pub const PAGE_REQUEST_BYTES_MAX: usize = FRAME_BODY_BYTES_MAX + (1 << 20);
/// Answers and arguments up to this size travel in a script message; larger ones are pulled by the page.
pub const INLINE_PAYLOAD_BYTES_MAX: usize = 8_192;
/// A new worker must say hello within this time.
pub const HELLO_TIMEOUT_MS: u64 = 5_000;
/// A new worker must have restored the state handed to it within this time.
pub const RESTORE_TIMEOUT_MS: u64 = 5_000;
/// The old worker must have delivered its state within this time.
pub const SNAPSHOT_TIMEOUT_MS: u64 = 5_000;
/// Calls under way get this long to finish before the state is taken; longer ones end on the old worker.
pub const QUIESCE_MS: u64 = 250;
/// After the switch the old worker gets this long to finish its calls.
pub const DRAIN_S: u64 = 10;
/// A new version is watched this long before it is called good.
pub const PROBATION_S: u64 = 15;
/// A new page must have come up (loaded, no boot error) within this time.
pub const PAGE_READY_TIMEOUT_MS: u64 = 10_000;
/// A page gets this long to save its state before it is loaded again by force.
pub const PAGE_SAVE_TIMEOUT_MS: u64 = 1_500;
/// A page that is loaded waits this long for a release that goes live with it (`live = "next-load"`).
pub const PAGE_LOAD_PATIENCE_MS: u64 = 5_000;
/// When the app ends its workers get this long to end in order.
pub const SHUTDOWN_MS: u64 = 1_500;
/// All services of a new worker must have started within this time; below the wait for its restored state.
pub const SERVICE_START_TIMEOUT_MS: u64 = 4_000;
/// All services of a worker that ends get this long together to stop; below the wait for its end.
pub const SERVICE_STOP_TIMEOUT_MS: u64 = 1_000;
const _: () = assert!(SERVICE_START_TIMEOUT_MS < RESTORE_TIMEOUT_MS && SERVICE_STOP_TIMEOUT_MS < SHUTDOWN_MS);
/// Calls that may wait while workers are exchanged; one more is answered with `QueueFull`.
pub const SWAP_QUEUE_CALLS_MAX: usize = 10_000;
/// Bytes of arguments and events that may wait while workers are exchanged: one of the largest, or many small ones.
pub const SWAP_QUEUE_BYTES_MAX: usize = FRAME_BODY_BYTES_MAX;
/// Calls under way in one worker; one more is answered with `QueueFull`.
pub const CALLS_IN_FLIGHT_MAX: usize = 100_000;
/// Events waiting for one page; the oldest are dropped beyond it and the page is told how many.
pub const EVENT_QUEUE_MAX: usize = 100_000;
/// Bytes of events waiting for one page; the oldest are dropped beyond it, too.
pub const EVENT_QUEUE_BYTES_MAX: usize = 16 << 20;
/// A page takes at most so many bytes of events at once.
pub const EVENT_BATCH_BYTES_MAX: usize = 256 << 10;
/// The shell asks an idle worker for a sign of life this often.
pub const HEARTBEAT_INTERVAL_MS: u64 = 2_000;
/// Heartbeats in a row that may be missed before the worker counts as hung.
pub const HEARTBEATS_MISSED_MAX: u32 = 5;
/// Whatever a worker does may take this long while a debugger holds it (`staysail dev --debug-worker`): a week.
pub const DEBUGGER_PATIENCE_S: u64 = 604_800;
/// Starts of a crashing worker before the shell stops trying and shows what happened.
pub const CRASH_RESTARTS_MAX: u32 = 5;
/// A worker that lived this long is no part of a crash loop.
pub const CRASH_WINDOW_S: u64 = 30;
/// First pause before a crashed worker is started again; doubles with each further crash.
pub const CRASH_BACKOFF_MS: u64 = 100;
/// Longest pause before a crashed worker is started again.
pub const CRASH_BACKOFF_MAX_MS: u64 = 3_000;
/// Declared state up to this size is copied to the shell after each call that changed it, so that it survives a crash.
pub const CHECKPOINT_BYTES_MAX: usize = 1 << 20;
/// Declared state up to this size is handed over inside a frame; larger state beside it, by descriptor.
pub const SNAPSHOT_INLINE_BYTES_MAX: usize = 1 << 20;
/// Largest declared state of an app.
pub const SNAPSHOT_BYTES_MAX: usize = 512 << 20;
/// State that is handed over beside the frames must have been written within this time, and taken over within as much.
pub const SNAPSHOT_APART_TIMEOUT_MS: u64 = 20_000;
const _: () =
    assert!(CHECKPOINT_BYTES_MAX <= SNAPSHOT_INLINE_BYTES_MAX && SNAPSHOT_BYTES_MAX <= FRAME_BODY_BYTES_MAX);
/// Calls under way get this long to let go of an exclusive resource; then the exchange is called off.
pub const EXCLUSIVE_IN_USE_MS: u64 = 2_000;
/// A worker must have released all its exclusive resources within this time, or have acquired them.
pub const EXCLUSIVE_TIMEOUT_MS: u64 = 5_000;
/// Pause between two tries to give exclusive resources back to the worker before, within `exclusive_timeout_ms`.
pub const EXCLUSIVE_RETRY_MS: u64 = 100;
const _: () = assert!(EXCLUSIVE_IN_USE_MS < EXCLUSIVE_TIMEOUT_MS);
/// A page that intercepts closing must have said within this time that it decides; its window closes otherwise.
pub const CLOSE_ANSWER_TIMEOUT_MS: u64 = 3_000;
/// Inline scripts of one page whose hashes go into its content security policy, and as many style sheets.
pub const INLINE_HASHES_MAX: usize = 256;
/// Links a page may open in the user's browser within `browser_opens_window_s`.
pub const BROWSER_OPENS_MAX: usize = 5;
/// The time in which links opened in the user's browser are counted.
pub const BROWSER_OPENS_WINDOW_S: u64 = 10;
/// Most windows of an app that are open at once.
pub const WINDOWS_MAX: usize = 256;
/// Downloads of pages under way at once; one more is denied.
pub const PAGE_DOWNLOADS_MAX: usize = 32;
/// Largest download of a page.
pub const PAGE_DOWNLOAD_BYTES_MAX: u64 = 64 << 30;
/// A download of a page that delivers nothing for this long has failed.
pub const PAGE_DOWNLOAD_IDLE_S: u64 = 60;
/// A download that waits to be accepted is cancelled after this time; a user may be choosing its place.
pub const PAGE_DOWNLOAD_ACCEPT_S: u64 = 300;
/// Pause between two events about the progress of one download.
pub const PAGE_DOWNLOAD_TELL_MS: u64 = 100;
/// Pause between two looks at how far a download is, where the webview does not tell.
pub const PAGE_DOWNLOAD_LOOK_MS: u64 = 500;
/// Longest name a download of a page is given; the rest is cut off, its ending stays.
pub const PAGE_DOWNLOAD_NAME_BYTES_MAX: usize = 180;
/// Most places of a text that are counted and marked in a page.
pub const FIND_MATCHES_MAX: u32 = 1_000;
/// The webview must have found a text, or not found it, within this time.
pub const FIND_TIMEOUT_MS: u64 = 10_000;
/// A page must have been printed to a file within this time.
pub const PRINT_TIMEOUT_S: u64 = 60;
/// The webview must have answered about cookies and storage within this time.
pub const STORAGE_TIMEOUT_MS: u64 = 10_000;
/// Files of one drag whose paths are told; more are left out.
pub const DROP_PATHS_MAX: usize = 10_000;
/// A command sends at most so much of a channel ahead of its page.
pub const CHANNEL_WINDOW_BYTES: usize = 4 << 20;
/// A command sends messages that are larger than the window so far ahead together: while the page deals with one the
/// next is on its way.
pub const CHANNEL_LARGE_WINDOW_BYTES: usize = 32 << 20;
/// A page takes at most so much JSON of a channel at once.
pub const CHANNEL_BATCH_BYTES_MAX: usize = 256 << 10;
/// Messages of a page that may wait in one stream for their command.
pub const CHANNEL_PUSHES_MAX: usize = 64;
/// Bytes of a page's messages that may wait in all its streams together for their commands; a single one always may.
pub const CHANNEL_PUSH_BYTES_MAX: usize = FRAME_BODY_BYTES_MAX;
/// Most streams a page has open at once; a call with one more is answered with `QueueFull`.
pub const CHANNELS_MAX: usize = 4_096;
/// Bytes of answers that wait for pages to fetch them; one more is answered with `QueueFull`, a single one never.
pub const BODIES_WAITING_BYTES_MAX: usize = 1 << 30;
/// A page pulls a large answer in pieces of so many bytes.
pub const BODY_PIECE_BYTES_MAX: usize = 4 << 20;
/// Most dialogs that are open at once; one more is answered with `QueueFull`.
pub const DIALOGS_MAX: usize = 16;
/// Most notifications of an app that are shown at once; the oldest are taken away beyond it.
pub const NOTIFICATIONS_MAX: usize = 64;
/// Most actions of one notification.
pub const NOTIFICATION_ACTIONS_MAX: usize = 8;
/// Largest page state (form fields, scroll, `preserve` hooks) kept over a reload.
pub const PAGE_STATE_BYTES_MAX: usize = 16 << 20;
/// Quiet time after a file event before it is acted upon.
pub const WATCH_QUIET_MS: u64 = 25;
/// However long saves go on, they are acted upon after this time.
pub const WATCH_QUIET_MAX_MS: u64 = 400;
/// A file that is gone, or suddenly empty, is reported so when it still is after this time (or four quiet
/// times, if that is more): editors save that way.
pub const WATCH_SETTLE_MS: u64 = 100;
/// Pause between two looks at files of which no events come.
pub const WATCH_POLL_MS: u64 = 300;
/// Looks at intervals take at most this share of one processor: one part in so many.
pub const WATCH_POLL_SHARE: u32 = 5;
/// Files beyond this size are compared by length and time instead of content.
pub const WATCH_COMPARED_BYTES_MAX: u64 = 16 << 20;
/// Most bytes of content read at the start of a watch; other files are compared by length and time until they change.
pub const WATCH_START_READ_BYTES_MAX: u64 = 32 << 20;
/// Most files whose content is read at the start of a watch.
pub const WATCH_START_READ_FILES_MAX: usize = 5_000;
/// Coarsest step in which a file system keeps times (FAT): a file saved twice within it may look the same.
pub const WATCH_TIME_STEP_MS: u64 = 2_000;
/// A program that is started again after a change gets this long to end before it is killed.
pub const WATCH_EXEC_END_MS: u64 = 2_000;
/// Most bytes of changed paths a program started by `staysail watch` finds in its environment.
pub const WATCH_EXEC_PATHS_BYTES_MAX: usize = 64 << 10;
/// Most files and folders of one watch; what is beyond is not watched and told so.
pub const WATCH_ENTRIES_MAX: usize = 1_000_000;
/// Most bytes a page reads of a file at once; longer ones are read in parts.
pub const FS_READ_BYTES_MAX: u64 = 256 << 20;
/// Most bytes a page writes into a file at once; longer ones are written in parts, by `append`.
pub const FS_WRITE_BYTES_MAX: usize = 256 << 20;
/// Longest text a page reads or writes at once.
pub const FS_TEXT_BYTES_MAX: u64 = 64 << 20;
/// Most entries of a folder that is listed.
pub const FS_ENTRIES_MAX: usize = 100_000;
/// Most files and folders in a folder that is removed or moved whole.
pub const FS_TREE_ENTRIES_MAX: usize = 1_000_000;
/// Requests for files that are at the disk at once; more wait for their turn.
pub const FS_REQUESTS_AT_ONCE_MAX: usize = 8;
/// Requests for files that wait for their turn; one more is answered with `QueueFull`.
pub const FS_REQUESTS_WAITING_MAX: usize = 1_000;
/// A disk that has not answered by then is given up, and whoever waits for it told so.
pub const FS_TIMEOUT_S: u64 = 120;
/// Paths the user chose that one window keeps; the oldest go.
pub const FS_GRANTS_MAX: usize = 1_000;
/// Tries of one download before the update is given up until the next check.
pub const DOWNLOAD_ATTEMPTS_MAX: u32 = 3;
/// A download that delivers nothing for this long has failed.
pub const DOWNLOAD_TIMEOUT_S: u64 = 10;
/// Files of a release that are downloaded at once when staysail.toml does not say.
pub const DOWNLOAD_PARALLEL_MAX: usize = 4;
/// Most files of a release that staysail.toml can have downloaded at once.
pub const DOWNLOAD_PARALLEL_CEILING: usize = 16;
/// Slowest limit that can be set for downloads; a download that is slower than this on the whole has failed.
pub const DOWNLOAD_BYTES_PER_S_MIN: u64 = 1_024;
/// Pause between two checks for releases when no server announces them.
pub const UPDATE_CHECK_INTERVAL_S: u64 = 3_600;
/// Largest release manifest.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// Largest `root.json`.
pub const ROOT_METADATA_BYTES_MAX: u64 = 512_000;
/// Largest `timestamp.json`.
pub const TIMESTAMP_METADATA_BYTES_MAX: u64 = 16_384;
/// Largest `snapshot.json`.
pub const SNAPSHOT_METADATA_BYTES_MAX: u64 = 2_000_000;
/// Largest metadata of the targets role or of a role it delegates to.
pub const TARGETS_METADATA_BYTES_MAX: u64 = 5_000_000;
/// New roots one update follows; the next update goes on from there.
pub const ROOT_ROTATIONS_MAX: u32 = 256;
/// Roles that are asked for one target; a search that needs more fails.
pub const DELEGATED_ROLES_VISITED_MAX: usize = 32;
/// Most files in one release.
pub const MANIFEST_FILES_MAX: usize = 100_000;
/// Longest path of a file in a release.
pub const RELEASE_PATH_BYTES_MAX: usize = 1_024;
/// Longest name of a file or folder in it; file systems take no more.
pub const RELEASE_NAME_BYTES_MAX: usize = 255;
/// Largest list of contents of a file that `staysail bundle` makes.
pub const ARCHIVE_INDEX_BYTES_MAX: u64 = 32 << 20;
/// Most files in such a file.
pub const ARCHIVE_FILES_MAX: usize = 200_000;
/// Most asset groups of one release.
pub const MANIFEST_GROUPS_MAX: usize = 1_000;
/// Files of asset groups that are fetched at once; more wait for their turn.
pub const ASSETS_AT_ONCE_MAX: usize = 4;
/// Groups that are prefetched when it is quiet are, once no page has asked for files of a group for this long.
pub const ASSETS_IDLE_S: u64 = 20;
/// A prefetch that failed is tried again after this time.
pub const ASSETS_RETRY_S: u64 = 900;
/// Pause between two events about the progress of one group.
pub const ASSETS_TELL_MS: u64 = 100;
/// A second start has handed its arguments over to the first within this time, or ends with an error.
pub const HANDOVER_TIMEOUT_MS: u64 = 10_000;
/// Largest start (arguments and working folder) that is handed over.
pub const HANDOVER_BYTES_MAX: usize = 1 << 20;
/// Starts that may be handed over at once; others wait.
pub const HANDOVERS_MAX: usize = 16;
/// Starts that wait for a page to be told of them; the oldest are dropped beyond it.
pub const OPENED_WAITING_MAX: usize = 64;
/// Notifications that wait for the user at once, each in a thread (Windows, macOS); what becomes of one more is not told.
pub const NOTIFICATIONS_HEARD_MAX: usize = 64;
/// Widest and tallest icon of a window or the tray, in pixels.
pub const ICON_SIDE_MAX: u32 = 1_024;
/// Widest and tallest image put into the clipboard, in pixels, where the shell decodes it (Windows, macOS).
pub const CLIPBOARD_IMAGE_SIDE_MAX: u32 = 8_192;
/// Most global shortcuts of an app.
pub const SHORTCUTS_MAX: usize = 64;
/// Where the user is asked for a global shortcut: how long they may take.
pub const SHORTCUT_CHOICE_TIMEOUT_S: u64 = 300;
/// Most wishes of an app to keep the machine awake.
pub const KEEP_AWAKE_MAX: usize = 64;
/// A program of the desktop that is asked for something answers within this time.
pub const DESKTOP_TIMEOUT_MS: u64 = 5_000;
/// A tool that refreshes the desktop's tables of links and files gets this long.
pub const REGISTRATION_TIMEOUT_MS: u64 = 10_000;
/// A browser tab that has not come back by then (a reload does) is gone, and its state with it.
pub const BROWSER_TAB_GONE_MS: u64 = 10_000;
/// Most browser tabs at once.
pub const BROWSER_TABS_MAX: usize = 256;
/// A start of a release's shell counts as failed when it has neither shown the app nor ended in this time.
pub const SHELL_START_TIMEOUT_S: u64 = 60;
/// A shell that is started for the first time must have told its version within this time.
pub const SHELL_PROBE_TIMEOUT_MS: u64 = 5_000;
/// Fuel (about one unit per instruction) of one call of a Wasm module when staysail.toml does not say.
pub const MODULE_FUEL_PER_CALL: u64 = 1_000_000_000;
/// Memory of one call of a Wasm module when staysail.toml does not say.
pub const MODULE_MEMORY_BYTES_MAX: usize = 64 << 20;
/// One call of a Wasm module ends after this time when staysail.toml does not say.
pub const MODULE_CALL_TIMEOUT_MS: u64 = 5_000;
/// The check of a module that is taken over (`staysail_check`) has this long at most.
pub const MODULE_CHECK_TIMEOUT_MS: u64 = 2_000;
/// A worker must have taken all its modules over, or refused them, within this time.
pub const MODULES_TIMEOUT_MS: u64 = 20_000;
/// Largest Wasm module.
pub const MODULE_BYTES_MAX: u64 = 64 << 20;
/// Most Wasm modules of an app.
pub const MODULES_MAX: usize = 64;
/// All Wasm modules of an app together.
pub const MODULES_BYTES_MAX: u64 = 256 << 20;
const _: () = assert!(MODULES_BYTES_MAX <= FRAME_BODY_BYTES_MAX as u64);
/// Failed calls (traps, limits) of one module after which its backend no longer counts as healthy: within probation the
/// release goes back.
pub const MODULE_FAILURES_MAX: u32 = 3;
/// Lines one call of a module writes to the log; more are left out.
pub const MODULE_LOG_LINES_MAX: u32 = 100;
/// Longest line a module writes to the log; the rest is cut off.
pub const MODULE_LOG_BYTES_MAX: usize = 4_096;
/// Longest expression of an update policy.
pub const EXPRESSION_BYTES_MAX: usize = 2_000;
/// How deep an expression of an update policy may be nested.
pub const EXPRESSION_DEPTH_MAX: usize = 32;
/// Page, worker and system have told the facts a policy asks for within this time; what is missing then is unknown.
pub const FACTS_TIMEOUT_MS: u64 = 2_000;
/// Pause until a condition that is not true is looked at again.
pub const POLICY_PAUSE_S: u64 = 30;
/// The user has touched nothing for this long: the quiet in which a release that was postponed too long is taken.
pub const QUIET_IDLE_S: u64 = 300;
/// Longest text, and most bytes of a name, of a value of the app's own in a policy.
pub const CUSTOM_VALUE_BYTES_MAX: usize = 1_000;
/// Most values of an app's own that one policy asks for.
pub const CUSTOM_VALUES_MAX: usize = 64;
/// Most barriers a channel has at a time.
pub const BARRIERS_MAX: usize = 64;
/// Most releases that a channel gives out in waves at a time.
pub const ROLLOUT_WAVES_MAX: usize = 8;
/// Most versions the user can have skipped at once; the oldest are forgotten.
pub const SKIPS_MAX: usize = 32;
/// Longest time for which the user can put releases off by saying later once.
pub const LATER_MAX_S: u64 = 2_592_000;
/// Days a release can be postponed when its policy does not say.
pub const POSTPONE_DAYS_MAX: u32 = 7;
/// Calls that are compared before a release goes live, when `[update.shadow]` does not say.
pub const SHADOW_CALLS_MIN: u32 = 50;
/// Most calls that can be asked for.
pub const SHADOW_CALLS_MAX: u32 = 100_000;
/// Answers are compared for this long at most, when `[update.shadow]` does not say.
pub const SHADOW_S: u64 = 60;
/// Longest time for which answers can be compared.
pub const SHADOW_MAX_S: u64 = 600;
/// Copied calls at once, when `[update.shadow]` does not say.
pub const SHADOW_IN_FLIGHT: usize = 4;
/// Most copied calls at once.
pub const SHADOW_IN_FLIGHT_MAX: usize = 64;
/// Bytes of copied arguments and answers at once, when `[update.shadow]` does not say.
pub const SHADOW_BYTES: usize = 16 << 20;
/// Fewest bytes that can be asked for; the largest checkpoint and a call must have room.
pub const SHADOW_BYTES_MIN: usize = 4 << 20;
/// Most bytes that can be asked for.
pub const SHADOW_BYTES_MAX: usize = 256 << 20;
/// Calls with longer arguments or a longer answer are not compared.
pub const SHADOW_CALL_BYTES_MAX: usize = 1 << 20;
const _: () = assert!(CHECKPOINT_BYTES_MAX + 2 * SHADOW_CALL_BYTES_MAX <= SHADOW_BYTES_MIN);
/// A copied call must be answered within this time beyond twice the time the backend before took; else it counts as
/// answered otherwise.
pub const SHADOW_ANSWER_TIMEOUT_MS: u64 = 5_000;
/// Longest wait for the answer to a copied call, however long the backend before took.
pub const SHADOW_ANSWER_MAX_MS: u64 = 60_000;
/// A command is called slower once it was compared so often.
pub const SHADOW_TIMED_CALLS_MIN: usize = 5;
/// Medians below this are called slow by nobody.
pub const SHADOW_SLOW_MS: u64 = 5;
/// Differences that are told and written down; more are counted.
pub const SHADOW_DIFFERENCES_TOLD_MAX: usize = 20;
/// Longest text that is told of a value that differs; the rest is cut off.
pub const SHADOW_VALUE_BYTES_MAX: usize = 200;
/// Most patterns of places that are not compared.
pub const SHADOW_IGNORED_MAX: usize = 100;
/// Longest such pattern.
pub const SHADOW_PATTERN_BYTES_MAX: usize = 500;
/// Lines of a backend that are logged while it answers copied calls.
pub const SHADOW_LINES_MAX: usize = 1_000;
/// Pause between two looks whether the backend whose calls are copied still serves.
pub const SHADOW_LOOK_MS: u64 = 1_000;
/// Messages a candidate may send in all; answers, checkpoints and what nobody asked for.
pub const SHADOW_SAID_MAX: u32 = 500_000;
const _: () = assert!(SHADOW_SAID_MAX > 4 * SHADOW_CALLS_MAX);
