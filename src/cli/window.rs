//! `fdgr window`

use std::path::PathBuf;

use super::DeviceArgs;
use super::words::Flags;
use crate::gui;

#[derive(Default, clap::Args)]
#[command(after_help = "\
Examples:
  fdgr window
  fdgr window photo.jpg photos/
  fdgr                                                            the same without photos")]
pub(super) struct Args {
    /// Photos, and folders of photos
    photos: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let is_alone = leave_own_console();
    let opened = gui::open(&args.photos, args.device.device.clone());
    if let (Err(error), true) = (&opened, is_alone) {
        // Nobody would see it on the console.
        _ = rfd::MessageDialog::new().set_title("fdgr").set_description(error.sentence(&Flags::Common)).show();
    }
    Ok(opened?)
}

/// Closes the console that Windows opened for this program alone, as it does for one that is not started from a console, and says whether
/// there was one. A program without a console from the start could not be used in one.
#[cfg(windows)]
#[expect(unsafe_code, reason = "the standard library cannot close a console")]
fn leave_own_console() -> bool {
    use windows_sys::Win32::System::Console::{FreeConsole, GetConsoleProcessList};
    let mut processes = [0; 2];
    // SAFETY: the list has place for two numbers, as is said.
    unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) == 1 && FreeConsole() != 0 }
}

/// Other systems open none.
#[cfg(not(windows))]
fn leave_own_console() -> bool {
    false
}
