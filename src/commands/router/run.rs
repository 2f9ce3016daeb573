//! `router [run] NAME`, and a router of uWSGI's options: the daemon in the foreground.

use super::{load, prepare, uwsgi};
use crate::cli::UwsgiRouter;
use crate::commands::Mistakes;
use crate::kernel::tun::Way;
use crate::model::RouterName;
use crate::router::{self, settings::Settings};
use anyhow::Result;
use std::path::Path;

/// The variable that names a way to the kernel.
const WAY: &str = "SYSTEMD_NETNS_WAY";

/// Runs a router of this host. Its device is there: `prepare` made it.
pub(super) fn named(root: &Path, name: &RouterName) -> Result<()> {
    let settings = load(root, name)?;
    daemon(settings, Some(&|| load(root, name)), None)
}

/// Runs a router of uWSGI's options. Its device goes with it.
pub(super) fn by_options(options: &UwsgiRouter) -> Result<()> {
    let uwsgi::Wanted { name, settings, commands } = uwsgi::router(options)?;
    prepare::open(&name, uwsgi::gate(&name, &settings))?;
    let result = daemon(settings, None, Some(&|| commands.run()));
    let cleaned = prepare::clean(&name, true);
    result.and(cleaned)
}

/// Runs one until it is told to end. `reload` reads the settings again, `ready` is called when the device is there and before a peer is
/// let in. Where uWSGI's options are all there is, the device is gone when this returns.
fn daemon(
    settings: Settings,
    reload: Option<&dyn Fn() -> Result<Settings>>,
    ready: Option<&dyn Fn() -> Result<()>>,
) -> Result<()> {
    router::daemon::run(settings, &router::daemon::Run { reload, ready, way: way()? })
}

/// The way to the kernel that the environment asks for, to compare them or to go without one.
fn way() -> Result<Option<Way>> {
    let wanted = std::env::var(WAY).ok().filter(|word| !word.is_empty());
    wanted.map(|word| word.parse().map_err(|why| Mistakes::one(format!("{WAY}: {why}")).into())).transpose()
}
