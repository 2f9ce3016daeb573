//! The register in Redis: a hash for each router, which expires, and a set of their names. All of it blocks, with a time limit.

use crate::model::HostName;
use crate::router::daemon::tunnel::PATIENCE;
use crate::router::tunnel::registry::{Entry, ITEMS, Item, ROUTERS};
use crate::router::tunnel::settings::Registry;
use redis::{Connection, RedisResult, cmd, pipe};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What was read: every router's entry, and for how long it holds.
pub(super) type Entries = BTreeMap<HostName, (Entry, Duration)>;

/// A conversation with the register, begun again after a failure.
pub(super) struct Conversation {
    registry: Registry,
    connection: Option<Connection>,
    /// What was written last.
    written: Option<Entry>,
}

impl Conversation {
    pub fn new(registry: Registry) -> Self {
        Self { registry, connection: None, written: None }
    }

    fn index(&self) -> String {
        format!("{}:routers", self.registry.prefix)
    }

    fn key(&self, router: &str) -> String {
        format!("{}:router:{router}", self.registry.prefix)
    }

    /// Says something; a connection over which that fails is not used again.
    fn say<T>(&mut self, what: impl FnOnce(&mut Connection) -> RedisResult<T>) -> Result<T, String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.registry.redis).map_err(|e| e.to_string())?,
        };
        let said = what(&mut connection).map_err(|e| e.to_string())?;
        self.connection = Some(connection);
        Ok(said)
    }

    /// Writes what this router holds, or where that is there already only that it still does.
    pub fn publish(&mut self, held: &BTreeSet<Item>) -> Result<(), String> {
        let Some(at) = self.registry.at.clone() else { return Ok(()) };
        let (own, index) = (self.registry.client.host.to_string(), self.index());
        let (key, expiry) = (self.key(&own), self.registry.expiry);
        if self.written.as_ref().is_some_and(|written| written.held.keys().eq(held)) {
            let (there, _): (u8, u8) = self.say(|connection| {
                let mut renewal = pipe();
                renewal.atomic().cmd("EXPIRE").arg(&key).arg(expiry).cmd("SADD").arg(&index).arg(&own);
                renewal.query(connection)
            })?;
            if there == 1 {
                return Ok(());
            }
        }
        let (seconds, micros): (u64, u64) = self.say(|connection| cmd("TIME").query(connection))?;
        let now = seconds * 1_000_000 + micros;
        let before = self.written.take().map(|entry| entry.held).unwrap_or_default();
        let since = |item: &Item| before.get(item).copied().unwrap_or(now);
        let entry = Entry { at, held: held.iter().map(|item| (item.clone(), since(item))).collect() };
        self.say(|connection| {
            let mut all = pipe();
            all.atomic().cmd("DEL").arg(&key).cmd("HSET").arg(&key);
            for (field, value) in entry.fields() {
                all.arg(field).arg(value);
            }
            all.cmd("EXPIRE").arg(&key).arg(expiry).cmd("SADD").arg(&index).arg(&own);
            all.query::<()>(connection)
        })?;
        self.written = Some(entry);
        Ok(())
    }

    /// Takes this router's entry away.
    pub fn withdraw(&mut self) -> Result<(), String> {
        let own = self.registry.client.host.to_string();
        let (index, key) = (self.index(), self.key(&own));
        self.written = None;
        self.say(|connection| pipe().atomic().cmd("DEL").arg(key).cmd("SREM").arg(index).arg(own).query(connection))
    }

    /// Reads what other routers hold. An entry that is damaged is as one that is not there, which is said.
    pub fn load(&mut self) -> Result<(Entries, Vec<String>), String> {
        let (index, own) = (self.index(), self.registry.client.host.clone());
        let count: usize = self.say(|connection| cmd("SCARD").arg(&index).query(connection))?;
        if count > ROUTERS {
            return Err(format!("it has {count} routers: {ROUTERS} are the limit"));
        }
        let names: Vec<String> = self.say(|connection| cmd("SMEMBERS").arg(&index).query(connection))?;
        let (mut entries, mut damaged) = (Entries::new(), Vec::new());
        for name in names {
            let key = self.key(&name);
            let Ok(router) = name.parse::<HostName>() else {
                damaged.push(format!("`{}` is no name of a router", name.escape_debug()));
                continue;
            };
            if router == own {
                continue;
            }
            let count: usize = self.say(|connection| cmd("HLEN").arg(&key).query(connection))?;
            if count > ITEMS {
                damaged.push(format!("router {router} holds {count} hosts and addresses: {ITEMS} are the limit"));
                continue;
            }
            let (left, fields): (i64, Vec<(String, String)>) = self
                .say(|connection| pipe().atomic().cmd("PTTL").arg(&key).cmd("HGETALL").arg(&key).query(connection))?;
            if fields.is_empty() {
                // It died. When it comes back, it says its name again.
                let _: u8 = self.say(|connection| cmd("SREM").arg(&index).arg(&name).query(connection))?;
                continue;
            }
            // Who wrote it by hand, without expiry, may have meant it: it is read again each time.
            let left =
                u64::try_from(left).map_or(Duration::from_secs(self.registry.expiry.into()), Duration::from_millis);
            match Entry::read(fields) {
                Ok(entry) => drop(entries.insert(router, (entry, left))),
                Err(why) => damaged.push(format!("the entry of router {router} is damaged: {why}")),
            }
        }
        Ok((entries, damaged))
    }
}

fn connect(url: &str) -> RedisResult<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}
