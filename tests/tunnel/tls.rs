//! TLS: what is trusted, and what is not. Certificates are made here.

use super::hosts::*;
use super::raw::{Raw, request};
use crate::router::traffic::transfer;
use crate::router::world::{ping, world};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

pub type Issuer = CertifiedIssuer<'static, KeyPair>;

/// Who signs.
pub fn issuer(file: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    // Of two with one name either could be meant.
    params.distinguished_name.push(DnType::CommonName, file);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(file, issuer.pem()).unwrap();
    issuer
}

/// A certificate with a name, `FILE.pem` and `FILE.key`.
pub fn certificate(issuer: &Issuer, file: &str, names: &[&str], expired: bool) {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    if expired {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    std::fs::write(format!("{file}.pem"), certificate.pem()).unwrap();
    std::fs::write(format!("{file}.key"), key.serialize_pem()).unwrap();
}

const SERVER_TLS: &str = "Certificate = /run/server.pem\nKey = /run/server.key";

#[test]
fn both_sides_know_each_other_by_certificates() {
    world(|| {
        hosts();
        let (ours, theirs) = (issuer("/run/ca.pem"), issuer("/run/hosts.pem"));
        certificate(&ours, "/run/server", &[SERVER, "router.example.org"], false);
        for name in ["one", "two"] {
            certificate(&theirs, &format!("/run/{name}"), &[&format!("{name}.example.org")], false);
        }
        certificate(&theirs, "/run/old", &["one.example.org"], true);
        certificate(&ours, "/run/stranger", &["one.example.org"], false);
        let clients = "[Client one]\nCertificate = one.example.org\nHost = host-1\n[Client two]\nCertificate = two.example.org\nHost = host-2\n";
        let text = format!("{}{clients}", server_text(&format!("{SERVER_TLS}\nClientCA = /run/hosts.pem")));
        let server = Router::start("s", "rs", &text);
        let with = |name: &str| format!("CA = /run/ca.pem\nCertificate = /run/{name}.pem\nKey = /run/{name}.key");
        let (one, _two) = (host(1, &with("one")), host(2, &with("two")));
        ping("h1", "192.168.123.2");
        transfer("h1", "h2", "192.168.123.2", 8 << 20);
        transfer("h2", "h1", "192.168.123.1", 8 << 20);
        let peer = server.wait_for("host-1");
        assert_eq!(peer["remote"]["certificate"], serde_json::json!(["one.example.org"]), "{peer:#}");
        assert_eq!((&peer["remote"]["encrypted"], &peer["remote"]["client"]), (&true.into(), &"one".into()));
        drop(one);
        server.wait_for_none("host-1");
        // Each refusal, and what is said of it.
        for (name, server_says, host_says) in [
            ("two", "client two may not be host host-1", "not allowed (status 3)"),
            ("old", "certificate expired", "ertificate"),
            ("stranger", "TLS: invalid peer certificate", "ertificate"),
        ] {
            let mut one = start_host(1, &with(name));
            server.says(server_says);
            one.says(host_says);
            assert!(server.remotes("host-1").is_empty());
            one.end(nix::sys::signal::Signal::SIGTERM);
        }
        let mut none = start_host(1, "CA = /run/ca.pem");
        server.says("peer sent no certificates");
        none.end(nix::sys::signal::Signal::SIGTERM);
    });
}

#[test]
fn a_server_is_known_by_its_certificate() {
    world(|| {
        hosts();
        let (ours, _) = (issuer("/run/ca.pem"), issuer("/run/other.pem"));
        certificate(&ours, "/run/server", &["router.example.org"], false);
        let mut server = server(SERVER_TLS);
        for (more, says) in [
            ("CA = /run/other.pem\nServerName = router.example.org", "UnknownIssuer"),
            ("CA = /run/ca.pem\nServerName = other.example.org", "not valid for name"),
            ("CA = /run/ca.pem", "not valid for name"),
        ] {
            let mut one = start_host(1, more);
            one.says(says);
            one.end(nix::sys::signal::Signal::SIGTERM);
        }
        // Who speaks in the clear hears nothing that it could take for an answer.
        let mut clear = Raw::connect("h2");
        std::io::Write::write_all(&mut clear.0, &request("host-2", [192, 168, 123, 2], None, None)).unwrap();
        assert!(clear.is_closed());
        let _one = host(1, "CA = /run/ca.pem\nServerName = router.example.org");
        // The certificate expires, and another takes its place: who is there stays, and who comes sees the new one.
        certificate(&ours, "/run/server", &["router.example.org"], true);
        server.reload(&server_text(SERVER_TLS));
        assert_eq!(server.remotes("host-1").len(), 1);
        let two = start_host(2, "CA = /run/ca.pem\nServerName = router.example.org");
        two.says("expired");
        certificate(&ours, "/run/server", &["router.example.org"], false);
        server.reload(&server_text(SERVER_TLS));
        two.wait_for("up");
        ping("h1", "192.168.123.2");
        // A certificate that cannot be read leaves all as it was.
        std::fs::remove_file("/run/server.key").unwrap();
        server.write(&server_text(SERVER_TLS));
        server.signal(nix::sys::signal::Signal::SIGHUP);
        server.says("the router goes on as it was");
        ping("h1", "192.168.123.2");
        server.end(nix::sys::signal::Signal::SIGTERM);
    });
}
