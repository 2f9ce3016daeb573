//! systemd's manager over D-Bus (org.freedesktop.systemd1(5)).

use anyhow::{Context, Result, bail};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue};

const BUS: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// How long a unit may take to start or stop. Its own limits are shorter.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a unit.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether systemd runs this machine (sd_booted(3)).
pub fn is_booted() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

/// Lets systemd read its units again, as `systemctl daemon-reload` does.
///
/// # Errors
/// When the bus or the manager cannot be reached, or refuses.
pub fn daemon_reload() -> Result<()> {
    Manager::connect()?.call("Reload", &()).context("let systemd reload its units").map(drop)
}

/// What a unit is doing (`ActiveState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    /// It runs.
    Yes,
    /// It is being started.
    Starting,
    /// It has failed, and is going to be started again.
    Again,
    /// It is being stopped.
    Stopping,
    /// It does not run.
    No,
    /// It does not run, and should.
    Failed,
}

/// A conversation with the manager.
pub struct Manager {
    runtime: tokio::runtime::Runtime,
    bus: zbus::Connection,
}

impl Manager {
    /// Opens one.
    ///
    /// # Errors
    /// When the system bus cannot be reached.
    pub fn connect() -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let bus = runtime.block_on(zbus::Connection::system()).context("reach the system bus")?;
        Ok(Self { runtime, bus })
    }

    /// Whether there is a unit file for a unit.
    ///
    /// # Errors
    /// When the manager refuses to say.
    pub fn knows(&self, unit: &str) -> Result<bool> {
        Ok(self.property(unit, "LoadState")? == "loaded")
    }

    /// Starts a unit, and waits until it runs, however often it fails before.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self, unit: &str) -> Result<()> {
        self.start_until(unit, |state| matches!(state, Active::Yes | Active::No | Active::Failed))
    }

    /// Starts a unit, and waits until it runs or has failed.
    ///
    /// # Errors
    /// When it does not run, with what it says of itself (`STATUS=`, sd_notify(3)).
    pub fn start_at_once(&self, unit: &str) -> Result<()> {
        self.start_until(unit, |state| !matches!(state, Active::Starting | Active::Stopping))
    }

    fn start_until(&self, unit: &str, done: impl Fn(Active) -> bool) -> Result<()> {
        self.call("StartUnit", &(unit, "replace")).with_context(|| format!("start {unit}"))?;
        let state = self.wait(unit, done);
        if let Ok(Active::Yes) = state {
            return Ok(());
        }
        let said = self.status_text(unit).unwrap_or_default();
        let said = if said.is_empty() { format!("see journalctl -u '{unit}'") } else { said };
        match state {
            Ok(_) => bail!("{unit} did not start: {said}"),
            Err(e) => bail!("{e:#}: {said}"),
        }
    }

    /// Restarts a unit, and waits until it runs.
    ///
    /// # Errors
    /// When it does not.
    pub fn restart(&self, unit: &str) -> Result<()> {
        self.restart_soon(unit)?;
        match self.wait(unit, |state| matches!(state, Active::Yes | Active::No | Active::Failed))? {
            Active::Yes => Ok(()),
            _ => bail!("{unit} did not start again: see journalctl -u '{unit}'"),
        }
    }

    /// Has a unit restarted, and does not wait.
    ///
    /// # Errors
    /// When the manager refuses.
    pub fn restart_soon(&self, unit: &str) -> Result<()> {
        self.call("RestartUnit", &(unit, "replace")).with_context(|| format!("restart {unit}")).map(drop)
    }

    /// The file of a socket unit that listens, if it is missing.
    ///
    /// # Errors
    /// When the manager refuses to say.
    pub fn missing_file(&self, socket: &str) -> Result<Option<PathBuf>> {
        if self.active(socket)? != Active::Yes {
            return Ok(None);
        }
        let listen = self.get(self.path(socket)?, "org.freedesktop.systemd1.Socket", "Listen")?;
        let listen: Vec<(String, String)> = listen.try_into().with_context(|| format!("read Listen of {socket}"))?;
        let mut files = listen.into_iter().map(|(_, path)| PathBuf::from(path)).filter(|path| path.is_absolute());
        Ok(files.find(|path| std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound)))
    }

    /// Stops a unit, and waits until it has ended. One that does not run, or that nobody knows, is no mistake.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&self, unit: &str) -> Result<()> {
        if matches!(self.active(unit)?, Active::No) {
            return Ok(());
        }
        self.call("StopUnit", &(unit, "replace")).with_context(|| format!("stop {unit}"))?;
        self.wait(unit, |state| matches!(state, Active::No | Active::Failed))?;
        // Else a failed unit stays in the list of units for ever. One that is forgotten already cannot be reset.
        let _ = self.call("ResetFailedUnit", &unit);
        Ok(())
    }

    /// What a unit is doing.
    ///
    /// # Errors
    /// When the manager refuses to say.
    pub fn active(&self, unit: &str) -> Result<Active> {
        Ok(match self.property(unit, "ActiveState")?.as_str() {
            "active" | "reloading" | "refreshing" => Active::Yes,
            "activating" if self.property(unit, "SubState")?.starts_with("auto-restart") => Active::Again,
            "activating" | "maintenance" => Active::Starting,
            "deactivating" => Active::Stopping,
            "failed" => Active::Failed,
            _ => Active::No,
        })
    }

    /// Whether a unit that is being stopped is to be started again.
    ///
    /// # Errors
    /// When the manager refuses to say.
    pub fn is_restarting(&self, unit: &str) -> Result<bool> {
        let value = self.value(unit, "Job")?;
        let Ok((number, path)) = <(u32, OwnedObjectPath)>::try_from(value) else { return Ok(false) };
        if number == 0 {
            return Ok(false);
        }
        let kind = String::try_from(self.get(path, "org.freedesktop.systemd1.Job", "JobType")?);
        Ok(kind.is_ok_and(|kind| kind.contains("restart")))
    }

    fn wait(&self, unit: &str, done: impl Fn(Active) -> bool) -> Result<Active> {
        let start = Instant::now();
        loop {
            let state = self.active(unit)?;
            // A job that waits leaves the unit as it was.
            if done(state) && self.job(unit)? == 0 {
                return Ok(state);
            }
            if start.elapsed() > PATIENCE {
                bail!("{unit} is {state:?} after {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The number of the job that is under way for a unit; 0 is none.
    fn job(&self, unit: &str) -> Result<u32> {
        let value = self.value(unit, "Job")?;
        Ok(<(u32, OwnedObjectPath)>::try_from(value).map_or(0, |(number, _)| number))
    }

    fn property(&self, unit: &str, name: &str) -> Result<String> {
        String::try_from(self.value(unit, name)?).with_context(|| format!("read {name} of {unit}"))
    }

    /// What a service says of itself.
    fn status_text(&self, unit: &str) -> Result<String> {
        let text = self.get(self.path(unit)?, "org.freedesktop.systemd1.Service", "StatusText")?;
        String::try_from(text).with_context(|| format!("read StatusText of {unit}"))
    }

    fn value(&self, unit: &str, name: &str) -> Result<OwnedValue> {
        self.get(self.path(unit)?, UNIT, name).with_context(|| format!("ask for {name} of {unit}"))
    }

    fn path(&self, unit: &str) -> Result<OwnedObjectPath> {
        let reply = self.call("LoadUnit", &unit).with_context(|| format!("ask for {unit}"))?;
        reply.body().deserialize().context("read the manager's answer")
    }

    fn get(&self, path: OwnedObjectPath, interface: &str, name: &str) -> Result<OwnedValue> {
        let (properties, which) = (Some("org.freedesktop.DBus.Properties"), (interface, name));
        let get = self.bus.call_method(Some(BUS), path, properties, "Get", &which);
        let reply = self.runtime.block_on(get)?;
        reply.body().deserialize().context("read the manager's answer")
    }

    fn call(&self, method: &str, body: &(impl serde::Serialize + DynamicType)) -> zbus::Result<zbus::Message> {
        let call = self.bus.call_method(Some(BUS), "/org/freedesktop/systemd1", Some(MANAGER), method, body);
        self.runtime.block_on(call)
    }
}
