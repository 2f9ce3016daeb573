//! Our device with uWSGI's router: packets are framed here.

use super::Run;
use crate::kernel::tun::Device;
use crate::router::settings::DeviceSettings;
use anyhow::{Result, bail};

/// Moves packets until the router is gone.
pub(super) fn pump(_settings: &DeviceSettings, _device: &Device, _run: &mut Run<'_>) -> Result<()> {
    bail!("to be written")
}
