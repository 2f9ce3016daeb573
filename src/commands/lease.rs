//! What a client calls in the place of its own script: the link is given what the lease says.
//!
//! Runs inside the client's namespace and view, which it found itself in. What a lease had and the next one has not goes;
//! what cannot be taken away is gone already. dhclient and udhcpc take a failure here for a refusal of the lease.

use crate::kernel::Kernel;
use crate::model::{Client, Dhcp, Instance, Netns, Place};
use crate::plan::{LinkSetting, Op};
use crate::system::dhcp::environment::{self, Event, Said};
use crate::system::dhcp::{self, Lease, view};
use crate::system::resolv;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::time::Duration;

/// How long a server may take to say its hardware address.
const RELEASE_TIME: Duration = Duration::from_millis(300);

/// Takes what the client says, in its environment and these arguments.
///
/// # Errors
/// When it is no lease that can be used, or the kernel refuses it.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let instance = view::instance()?;
    let dhcp = dhcp::parameters(&instance)?;
    let arguments: Vec<String> = arguments.filter_map(|a| a.into_string().ok()).collect();
    let variable = |name: &str| if name.is_empty() { None } else { std::env::var(name).ok() };
    let before = Lease::read(&instance)?;
    let said = Said { link: instance.link, dhcp: &dhcp, arguments: &arguments, variable: &variable };
    match environment::read(&said, before.as_ref()) {
        None => bail!("{}: what the server offers is no lease that can be used", instance.link),
        Some(Event::Nothing) => Ok(()),
        Some(Event::Now(lease)) => change(&instance, &dhcp, before.as_ref(), lease.as_ref()),
    }
}

fn change(instance: &Instance, dhcp: &Dhcp, before: Option<&Lease>, lease: Option<&Lease>) -> Result<()> {
    if dhcp.client == Client::Udhcpc && before.is_some() && lease.is_none() {
        // It has just sent its release, which waits for the server's hardware address, and goes with our own address.
        std::thread::sleep(RELEASE_TIME);
    }
    // The namespace that this process is in, which the kernel's side takes for the host.
    let place = Place::new(Netns::Host, instance.link);
    let mut kernel = Kernel::new();
    let nothing = Lease::default();
    let (old, new) = (before.unwrap_or(&nothing), lease.unwrap_or(&nothing));
    let route = |netns: Netns, route: &crate::model::Route| Op::DeleteRoute { netns, route: route.clone() };
    let routes = old.routes.iter().filter(|r| !new.routes.contains(r)).map(|r| route(Netns::Host, r));
    let kept = |key| new.addresses.iter().any(|leased| leased.address.key() == key);
    let addresses = old.addresses.iter().filter(|leased| !kept(leased.address.key()));
    let addresses = addresses.map(|leased| Op::DeleteAddress { place: place.clone(), address: leased.address.clone() });
    let gone: Vec<Op> = routes.chain(addresses).collect();
    for failure in kernel.apply_all(&gone).into_iter().filter(|failure| !failure.error.is_absent()) {
        log::warn!("{}: {}, ignoring", instance.link, failure.error);
    }
    if let Some(mtu) = new.mtu.filter(|_| old.mtu != new.mtu)
        && let Err(failure) = kernel.apply(&[Op::SetLink { place: place.clone(), set: LinkSetting::Mtu(mtu) }])
    {
        log::warn!("{}: the server's mtu {mtu} cannot be set: {}, ignoring", instance.link, failure.error);
    }
    for leased in &new.addresses {
        kernel.lease(&place, &leased.address, leased.valid)?;
    }
    let routes = new.routes.iter().map(|route| Op::AddRoute { netns: Netns::Host, route: route.clone() });
    // One that is there is the lease's own from before, or the administrator's, which stays.
    let routes: Vec<Op> = routes.collect();
    for failure in kernel.apply_all(&routes).into_iter().filter(|failure| !failure.error.is_exists()) {
        let route = routes.get(failure.index).map_or_else(String::new, ToString::to_string);
        log::warn!("{}: {route}: {}, ignoring", instance.link, failure.error);
    }
    resolv::set_lease(instance, lease.map(|lease| &lease.resolv))?;
    Lease::write(instance, lease)?;
    if lease.is_none() && before.is_some() {
        log::info!("{} has lost {}", instance.link, dhcp.protocol);
    }
    Ok(())
}
