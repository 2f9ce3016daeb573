//! Who may be which host in which table.
//!
//! The original lets in whoever asks: an unlisted host, a listed one that asks for no id, any id. Here a name is had only by who may have
//! it, in the table that the rules name, whichever way the table was come to.

use super::handshake::{Request, Secret, Status};
use super::name::TableName;
use super::settings::{Client, Server, Table, Tunnels};

/// What is known of who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// The names (DNS) of the certificate that it has the key of.
    pub certificate: Vec<String>,
}

/// What it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The table that it is in.
    pub table: TableName,
    /// Which client it is, by its place in the settings.
    pub client: Option<usize>,
}

/// Why not: what it is told, and what the journal is.
pub type Denial = (Status, String);

/// Whether a request is granted. `passwords` has one for each client that has a user, in the order of the settings.
///
/// # Errors
/// Why not.
pub fn authorize(
    tunnels: &Tunnels,
    passwords: &[Option<Secret>],
    request: &Request,
    proof: &Proof,
) -> Result<Admission, Denial> {
    let Some(server) = &tunnels.server else { return Err((Status::ServiceUnavailable, "no hosts are let in".into())) };
    let client = client(tunnels, passwords, request, proof)?;
    let table = table(server, &tunnels.tables, request)?;
    if let Some(client) = client.and_then(|at| tunnels.clients.get(at)) {
        if !client.hosts.is_empty() && !client.hosts.contains(&request.host) {
            return Err((Status::Forbidden, format!("client {} may not be host {}", client.name, request.host)));
        }
        if !client.tables.is_empty() && !client.tables.contains(&table) {
            return Err((Status::Forbidden, format!("client {} may not be in table {table}", client.name)));
        }
    }
    let mut rules = server.ingress.iter().filter(|(host, _)| *host == request.host).peekable();
    if !server.ingress.is_empty() && rules.peek().is_none() {
        return Err((Status::HostUnreachable, format!("no ingress rule has host {}", request.host)));
    }
    if rules.peek().is_some() && !rules.any(|(_, allowed)| *allowed == table) {
        return Err((
            Status::HostUnreachable,
            format!("the ingress rules keep host {} out of table {table}", request.host),
        ));
    }
    Ok(Admission { table, client })
}

/// The first client that it is; none where nobody need be one.
fn client(
    tunnels: &Tunnels,
    passwords: &[Option<Secret>],
    request: &Request,
    proof: &Proof,
) -> Result<Option<usize>, Denial> {
    if tunnels.clients.is_empty() {
        return Ok(None);
    }
    let is = |client: &Client, password: Option<&Secret>| {
        let user = match (&client.user, &request.user, password) {
            (None, ..) => true,
            // Compared in any case, so that nobody learns by the time it takes whether there is such a user.
            (Some((name, _)), Some(user), Some(password)) => {
                (*password == user.password) & (name.as_bytes() == &*user.name)
            }
            _ => false,
        };
        let named = |name: &String| proof.certificate.iter().any(|shown| shown.eq_ignore_ascii_case(name));
        user && client.certificate.as_ref().is_none_or(named) && (client.user.is_some() || client.certificate.is_some())
    };
    let mut found = None;
    for (at, client) in tunnels.clients.iter().enumerate() {
        let fits = is(client, passwords.get(at).and_then(Option::as_ref));
        // Several may fit a certificate: that which may have the name counts.
        let wanted = client.hosts.is_empty() || client.hosts.contains(&request.host);
        if fits && (found.is_none() || wanted && !matches!(found, Some((_, true)))) {
            found = Some((at, wanted));
        }
    }
    let names = if proof.certificate.is_empty() { "none".into() } else { proof.certificate.join(" ") };
    let user = request.user.as_ref().map_or("none".into(), |user| String::from_utf8_lossy(&user.name).into_owned());
    let user: String = user.chars().filter(|c| !c.is_control()).take(64).collect();
    let why =
        || (Status::Unauthorized, format!("no client has user {user} with that password and certificate {names}"));
    found.map(|(at, _)| Some(at)).ok_or_else(why)
}

/// The table by the id that was asked for, or the default one.
fn table(server: &Server, tables: &[Table], request: &Request) -> Result<TableName, Denial> {
    let asked = request.id.map(TableName::Id).filter(|id| tables.iter().any(|table| table.name == *id));
    asked.or_else(|| server.default.clone()).ok_or_else(|| match request.id {
        Some(id) => (Status::ServiceUnavailable, format!("there is no table {id}, and no default one")),
        None => (Status::ServiceUnavailable, "it asks for no table, and there is no default one".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::handshake::User;
    use super::*;

    const ONE: &str = "e87f56dd-fd57-4921-9ab8-a0847662daae";
    const TWO: &str = "ef502590-c5f4-437e-a81f-fe4083505075";

    fn tunnels(default: Option<&str>, ingress: &[(&str, &str)], clients: Vec<Client>) -> Tunnels {
        let table = |name: &str| Table {
            name: name.parse().unwrap(),
            local: false,
            routes: Vec::new(),
            sources: Vec::new(),
            plugin: None,
            reload: 30,
        };
        let server = Server {
            listen: Vec::new(),
            tls: None,
            default: default.map(|name| name.parse().unwrap()),
            ingress: ingress.iter().map(|(host, table)| (host.parse().unwrap(), table.parse().unwrap())).collect(),
            mtu: 1420,
        };
        Tunnels { server: Some(server), tables: [ONE, TWO, "rest"].map(table).into(), clients, ..Tunnels::default() }
    }

    fn client(user: Option<&str>, certificate: Option<&str>, hosts: &[&str], tables: &[&str]) -> Client {
        Client {
            name: "c".into(),
            user: user.map(|user| (user.into(), "/x".into())),
            certificate: certificate.map(Into::into),
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            tables: tables.iter().map(|table| table.parse().unwrap()).collect(),
            addresses: Vec::new(),
            limits: None,
        }
    }

    fn request(host: &str, id: Option<&str>, user: Option<(&str, &str)>) -> Request {
        let secret = |text: &str| Secret(text.as_bytes().into());
        Request {
            user: user.map(|(name, word)| User { name: name.as_bytes().into(), password: secret(word) }),
            host: host.parse().unwrap(),
            addresses: Vec::new(),
            id: id.map(|id| id.parse().unwrap()),
            weight: 0,
            instance: None,
        }
    }

    fn ask(tunnels: &Tunnels, request: &Request, names: &[&str]) -> Result<(String, Option<usize>), Status> {
        let proof = Proof { certificate: names.iter().map(|name| (*name).into()).collect() };
        let word = |client: &Client| client.user.as_ref().map(|_| Secret(b"word"[..].into()));
        let words: Vec<_> = tunnels.clients.iter().map(word).collect();
        let answer = authorize(tunnels, &words, request, &proof);
        answer.map(|got| (got.table.to_string(), got.client)).map_err(|(status, _)| status)
    }

    #[test]
    fn an_id_picks_its_table_and_the_default_is_for_the_others() {
        let none = tunnels(None, &[], Vec::new());
        assert_eq!(ask(&none, &request("a", Some(ONE), None), &[]), Ok((ONE.into(), None)));
        assert_eq!(ask(&none, &request("a", None, None), &[]), Err(Status::ServiceUnavailable));
        let unknown = "00000000-0000-4000-8000-000000000001";
        assert_eq!(ask(&none, &request("a", Some(unknown), None), &[]), Err(Status::ServiceUnavailable));
        let some = tunnels(Some("rest"), &[], Vec::new());
        for id in [None, Some(unknown)] {
            assert_eq!(ask(&some, &request("a", id, None), &[]), Ok(("rest".into(), None)));
        }
        assert_eq!(ask(&Tunnels::default(), &request("a", None, None), &[]), Err(Status::ServiceUnavailable));
    }

    #[test]
    fn ingress_binds_hosts_to_tables() {
        let tunnels = tunnels(Some("rest"), &[("host-1", ONE), ("host-2", TWO), ("host-2", ONE)], Vec::new());
        let ask = |host: &str, id| ask(&tunnels, &request(host, id, None), &[]).map(|(table, _)| table);
        assert_eq!(ask("host-1", Some(ONE)), Ok(ONE.into()));
        assert_eq!(ask("host-2", Some(ONE)), Ok(ONE.into()));
        assert_eq!(ask("host-1", Some(TWO)), Err(Status::HostUnreachable));
        // What the original lets in.
        assert_eq!(ask("host-1", None), Err(Status::HostUnreachable));
        assert_eq!(ask("host-3", Some(ONE)), Err(Status::HostUnreachable));
        assert_eq!(ask("host-3", None), Err(Status::HostUnreachable));
    }

    #[test]
    fn clients_are_users_or_certificates_or_both() {
        let clients = vec![
            client(Some("me"), None, &["host-1"], &[ONE]),
            client(None, Some("web.example.org"), &["host-2"], &[]),
            client(None, Some("web.example.org"), &["host-3"], &[]),
            client(Some("both"), Some("web.example.org"), &[], &["rest"]),
            client(None, None, &[], &[]),
        ];
        let tunnels = tunnels(Some("rest"), &[], clients);
        let (me, wrong) = (Some(("me", "word")), Some(("me", "sword")));
        let web = &["other", "WEB.example.org"][..];
        for (host, id, user, names, wanted) in [
            ("host-1", Some(ONE), me, &[][..], Ok(0)),
            ("host-1", Some(ONE), wrong, &[], Err(Status::Unauthorized)),
            ("host-1", Some(ONE), Some(("you", "word")), &[], Err(Status::Unauthorized)),
            ("host-1", Some(ONE), None, &[], Err(Status::Unauthorized)),
            ("host-2", Some(ONE), me, &[], Err(Status::Forbidden)),
            ("host-1", Some(TWO), me, &[], Err(Status::Forbidden)),
            ("host-1", None, me, &[], Err(Status::Forbidden)),
            ("host-2", Some(TWO), None, web, Ok(1)),
            ("host-3", None, None, web, Ok(2)),
            ("host-4", None, None, web, Err(Status::Forbidden)),
            ("host-4", None, Some(("both", "word")), web, Ok(3)),
            ("host-4", Some(ONE), Some(("both", "word")), web, Err(Status::Forbidden)),
            ("host-4", None, Some(("both", "word")), &["x"], Err(Status::Unauthorized)),
        ] {
            let got = ask(&tunnels, &request(host, id, user), names).map(|(_, client)| client.unwrap());
            assert_eq!(got, wanted, "{host} {id:?} {user:?} {names:?}");
        }
    }
}
