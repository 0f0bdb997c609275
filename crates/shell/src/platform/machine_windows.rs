//! What Windows tells of machine and moment. Measuring load takes a moment: not for the windows' thread.

use std::path::Path;
use std::time::Duration;
use windows::Win32::Foundation::FILETIME;
use windows::Win32::Networking::NetworkListManager::{
    INetworkCostManager, NLM_CONNECTION_COST_FIXED, NLM_CONNECTION_COST_OVERDATALIMIT,
    NLM_CONNECTION_COST_ROAMING, NLM_CONNECTION_COST_UNKNOWN, NLM_CONNECTION_COST_VARIABLE,
    NetworkListManager,
};
use windows::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows::Win32::System::Com::{CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx};
use windows::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};
use windows::Win32::System::SystemInformation::GetTickCount;
use windows::Win32::System::Threading::GetSystemTimes;
use windows::Win32::System::Time::{GetTimeZoneInformation, TIME_ZONE_INFORMATION};
use windows::Win32::UI::Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO};
use windows_core::HSTRING;

/// Between the two looks that a load is made of.
const LOAD_INTERVAL_MS: u64 = 250;
/// `TIME_ZONE_ID_DAYLIGHT`, `TIME_ZONE_ID_INVALID`
const SUMMER: u32 = 2;
const INVALID: u32 = u32::MAX;

/// Time since the user last touched mouse or keyboard.
pub fn idle() -> Option<Duration> {
    let mut last = LASTINPUTINFO { cbSize: size_of::<LASTINPUTINFO>() as u32, dwTime: 0 };
    // SAFETY: the structure says its own size and outlives the call.
    let told = unsafe { GetLastInputInfo(&raw mut last) }.as_bool();
    // SAFETY: gives a number.
    let now = unsafe { GetTickCount() };
    // Both begin anew together, every 49.7 days.
    told.then(|| Duration::from_millis(u64::from(now.wrapping_sub(last.dwTime))))
}

/// The share of time processors are busy: there is no queue to be told of.
pub fn load_per_core() -> Option<f64> {
    let look = || {
        let (mut idle, mut kernel, mut user) =
            (FILETIME::default(), FILETIME::default(), FILETIME::default());
        // SAFETY: all three outlive the call.
        unsafe { GetSystemTimes(Some(&raw mut idle), Some(&raw mut kernel), Some(&raw mut user)) }.ok()?;
        let number = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
        // Time of the kernel holds that of being idle.
        Some((number(idle), number(kernel) + number(user)))
    };
    let (idle, all) = look()?;
    std::thread::sleep(Duration::from_millis(LOAD_INTERVAL_MS));
    let (idle_then, all_then) = look()?;
    let (idle, all) = (idle_then.checked_sub(idle)?, all_then.checked_sub(all)?);
    (all > 0).then(|| 1.0 - idle.min(all) as f64 / all as f64)
}

/// Whether a battery is being emptied, and how full it is.
pub fn battery() -> (Option<bool>, Option<i64>) {
    let mut status = SYSTEM_POWER_STATUS::default();
    // SAFETY: the structure outlives the call.
    if unsafe { GetSystemPowerStatus(&raw mut status) }.is_err() {
        return (None, None);
    }
    let on_battery = match status.ACLineStatus {
        0 => Some(true),
        1 => Some(false),
        _ => None,
    };
    // Flag 128: there is none. 255: unknown.
    let percent = match (status.BatteryFlag, status.BatteryLifePercent) {
        (flag, _) if flag != 255 && flag & 128 != 0 => Some(100),
        (_, percent @ 0..=100) => Some(i64::from(percent)),
        _ => None,
    };
    (on_battery, percent)
}

/// Whether Windows counts the bytes of the connection.
pub fn metered() -> Option<bool> {
    let mut cost = 0_u32;
    // SAFETY: a thread may enter the apartment again and again; the manager is released as it is dropped, and the number
    // outlives the call.
    unsafe {
        if CoInitializeEx(None, COINIT_MULTITHREADED).is_err() {
            return None;
        }
        let manager: INetworkCostManager = CoCreateInstance(&NetworkListManager, None, CLSCTX_ALL).ok()?;
        manager.GetCost(&raw mut cost, std::ptr::null()).ok()?;
    }
    let costs = NLM_CONNECTION_COST_FIXED.0
        | NLM_CONNECTION_COST_VARIABLE.0
        | NLM_CONNECTION_COST_OVERDATALIMIT.0
        | NLM_CONNECTION_COST_ROAMING.0;
    (cost != NLM_CONNECTION_COST_UNKNOWN.0 as u32).then_some(cost & costs as u32 != 0)
}

/// Bytes free for this user where a folder is.
pub fn free_disk_bytes(folder: &Path) -> Option<u64> {
    let mut free = 0_u64;
    // SAFETY: the text and the number outlive the call.
    unsafe { GetDiskFreeSpaceExW(&HSTRING::from(folder), Some(&raw mut free), None, None) }.ok()?;
    Some(free)
}

/// Seconds that the user's local time is ahead of universal time now; the moment is not asked for.
pub fn local_offset_s(_now_s: i64) -> Option<i64> {
    let mut zone = TIME_ZONE_INFORMATION::default();
    // SAFETY: the structure outlives the call.
    let season = unsafe { GetTimeZoneInformation(&raw mut zone) };
    let bias = match season {
        INVALID => return None,
        SUMMER => zone.Bias + zone.DaylightBias,
        _ => zone.Bias + zone.StandardBias,
    };
    Some(-60 * i64::from(bias))
}
