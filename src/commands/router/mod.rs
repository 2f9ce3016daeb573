//! `router …`: routers of this host.

mod prepare;
mod run;
pub(super) mod status;
pub(super) mod uwsgi;

pub(super) use prepare::{plan, problems};

use super::Mistakes;
use crate::cli::{Router, RouterAct};
use crate::config::{self, Accounts, LoadedRouter};
use crate::interfaces::diagnostic::{Diagnostic, Severity};
use crate::model::{Desired, RouterName};
use crate::router::settings::Settings;
use crate::system::{accounts, gate, journal};
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::Path;

/// Does what was typed.
pub fn router(root: &Path, router: &Router) -> Result<()> {
    match (&router.act, &router.name) {
        (Some(RouterAct::Run(which)), _) => run::named(root, &which.name),
        (Some(RouterAct::Prepare { name, before_run }), _) => prepare::prepare(root, name, *before_run),
        (Some(RouterAct::Reload(which)), _) => prepare::reload(root, &which.name),
        (Some(RouterAct::Clean { name, last }), _) => prepare::clean(name, *last),
        (None, Some(name)) => run::named(root, name),
        (None, None) => run::by_options(&router.uwsgi),
    }
}

/// The accounts of this machine.
struct OfThisMachine;

impl Accounts for OfThisMachine {
    fn user(&self, name: &str) -> Option<u32> {
        accounts::user(name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        accounts::group(name)
    }
}

/// A router's file and everything that is to be said about it.
pub(super) fn read(root: &Path, name: &RouterName) -> LoadedRouter {
    config::load_router(root, name, &OfThisMachine)
}

/// Looks at the files of the routers of this host that devices go to, so that nobody waits for one that cannot start.
///
/// # Errors
/// [`Mistakes`] when there is one in the file of a router that is not prepared.
pub(super) fn refuse_mistaken(root: &Path, desired: &Desired) -> Result<()> {
    let named = desired.links.iter().filter_map(|link| link.device.as_ref()?.named.as_ref());
    for name in named.collect::<BTreeSet<_>>() {
        if gate::read(name)?.is_none() {
            let loaded = read(root, name);
            let errors = loaded.diagnostics.into_iter().filter(|d| d.severity == Severity::Error);
            judge(loaded.settings, &errors.collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// Reads a router's file; warnings are logged.
///
/// # Errors
/// [`Mistakes`] when there is one in the file.
fn load(root: &Path, name: &RouterName) -> Result<Settings> {
    let loaded = read(root, name);
    judge(loaded.settings, &loaded.diagnostics)
}

fn judge<T>(value: Option<T>, diagnostics: &[Diagnostic]) -> Result<T> {
    let (errors, warnings): (Vec<&Diagnostic>, Vec<_>) =
        diagnostics.iter().partition(|d| d.severity == Severity::Error);
    for warning in warnings {
        log::warn!(target: journal::PLAIN, "{warning}");
    }
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    value.filter(|_| text.is_empty()).ok_or_else(|| Mistakes(text.join("\n")).into())
}
