//! Routes from HTTP, Redis and a plugin: they come, change, and stay when their source is gone, hangs or says nonsense.

use super::hosts::*;
use super::raw::{Raw, request};
use super::redis::{is_missing, redis, redis_cli};
use crate::common::eventually;
use crate::router::peer::{echo, is_reply};
use crate::router::world::{answers, ping, within, world};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// What is served by HTTP in the server's namespace: the answer to a request's line and headers, or none at all.
type Answers = Arc<Mutex<Box<dyn FnMut(&str) -> Option<String> + Send>>>;

/// Serves until the test ends.
fn serve(port: u16, answer: impl FnMut(&str) -> Option<String> + Send + 'static) -> Answers {
    let answers: Answers = Arc::new(Mutex::new(Box::new(answer)));
    let listener = within("s", || TcpListener::bind(("127.0.0.1", port)).unwrap());
    let shared = Arc::downgrade(&answers);
    std::thread::spawn(move || {
        let mut hung = Vec::new();
        for stream in listener.incoming() {
            let (Some(answers), Ok(mut stream)) = (shared.upgrade(), stream) else { return };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            match answers.lock().unwrap()(&head.join("\n")) {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => hung.push(stream),
            }
        }
    });
    answers
}

fn ok(body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
}

fn text(table: &str) -> String {
    format!(
        "[Router]\n[Tunnel]\nListen = {SERVER}:{PORT}\nPlain = yes\nDefault = all\n[Table all]\nReload = 1\n{table}\n"
    )
}

const BOTH: &str = "192.168.123.1 host-1\n192.168.123.2 host-2\n";

#[test]
fn routes_by_http_outlive_their_server() {
    world(|| {
        hosts();
        let answers_of = serve(8000, |_| ok(BOTH));
        let server = Router::start("s", "rs", &text("URL = http://127.0.0.1:8000/routes"));
        let (_one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        *answers_of.lock().unwrap() = Box::new(|_| ok("192.168.123.1 host-1\nnonsense\n"));
        server.says("http://127.0.0.1:8000/routes: line 2: `nonsense` is no address or prefix; the 2 routes");
        *answers_of.lock().unwrap() = Box::new(|_| Some("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".into()));
        server.says("500");
        *answers_of.lock().unwrap() = Box::new(|_| None);
        server.says("timeout");
        assert!(answers("h1", "192.168.123.2", ""));
        *answers_of.lock().unwrap() = Box::new(|_| ok("192.168.123.1 host-1\n"));
        server.says("1 routes, read again");
        assert!(!answers("h1", "192.168.123.2", ""));
    });
}

#[test]
fn routes_of_redis_outlive_it() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let mut engine = redis();
        redis_cli("hset routes 192.168.123.1 host-1 192.168.123.2 host-2");
        let server = Router::start("s", "rs", &text("Redis = redis://127.0.0.1:6379\nRedisKey = routes"));
        let (_one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        engine.end(nix::sys::signal::Signal::SIGKILL);
        server.says("routes of Redis at 127.0.0.1:6379: ");
        assert!(answers("h1", "192.168.123.2", ""));
        // It comes back with the same as a set, then as a list, then as what holds no routes.
        let _engine = redis();
        redis_cli("sadd routes '192.168.123.1 host-1' '192.168.123.2 host-2 # there' '192.168.123.0/24 host-2'");
        server.says("3 routes, read again");
        redis_cli("del routes");
        redis_cli("rpush routes '192.168.123.1 host-1'");
        server.says("1 routes, read again");
        assert!(!answers("h1", "192.168.123.2", ""));
        redis_cli("set routes x");
        server.says("is of the type string");
    });
}

#[test]
fn a_plugin_is_asked_once_and_nobody_waits_for_it() {
    world(|| {
        hosts();
        let asked = Arc::new(Mutex::new(Vec::<String>::new()));
        let log = Arc::clone(&asked);
        std::fs::write("/run/token", "open sesame\n").unwrap();
        let answers_of = serve(8000, move |head| {
            log.lock().unwrap().push(head.to_owned());
            let query = head.lines().next().unwrap_or_default();
            if query.contains("dst=192.168.200.") {
                ok("{\"dst\":\"192.168.200.0/24\",\"gateway\":\"host-2\"}")
            } else if query.contains("dst=192.168.201.") {
                // For what it was not asked.
                ok("{\"dst\":\"192.168.123.0/24\",\"gateway\":\"host-2\"}")
            } else if query.contains("dst=192.168.202.") {
                None
            } else {
                Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into())
            }
        });
        let route = "Route =\n    192.168.123.1 host-1\n    192.168.123.2 host-2\n";
        let more = format!("{route}Plugin = http://127.0.0.1:8000/\nPluginToken = /run/token");
        let table = text(&more).replace("all", IDS[0]);
        let server = Router::start("s", "rs", &table);
        lan("h2", "lan2", "192.168.200");
        let id = format!("{PLAIN}\nId = {}", IDS[0]);
        let (_one, _two) = (host(1, &id), host(2, &id));
        // The first packet waits for the answer.
        assert!(answers("h1", "192.168.200.2", "-W 10"));
        {
            let asked = asked.lock().unwrap();
            assert_eq!(asked.len(), 1, "{asked:?}");
            let lower = asked[0].to_lowercase();
            assert!(
                lower.contains(&format!("id={}", IDS[0])) && lower.contains("authorization: bearer open sesame"),
                "{lower}"
            );
        }
        assert_eq!(server.lost("host-1", "asked"), 0);
        // A question that is not answered, and one that is answered wrongly, hold nobody up.
        let mut raw = Raw::host("s", &request("host-9", [192, 168, 123, 9], None, Some(IDS[0])));
        raw.send(&echo("192.168.123.9", "192.168.202.1"));
        raw.send(&echo("192.168.123.9", "192.168.201.1"));
        raw.send(&echo("192.168.123.9", "192.168.123.2"));
        assert!(raw.receive(is_reply).is_some());
        server.says("its answer is for 192.168.123.0/24");
        server.says("timeout");
        // What was learned is asked for again, and stays when nobody answers.
        eventually("it is asked again", || {
            let asked = asked.lock().unwrap();
            (asked.iter().filter(|head| head.contains("dst=192.168.200.")).count() > 1).then_some(())
        });
        *answers_of.lock().unwrap() = Box::new(|_| Some("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".into()));
        server.says("503");
        assert!(answers("h1", "192.168.200.2", ""));
        *answers_of.lock().unwrap() = Box::new(|_| Some("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".into()));
        eventually("it is forgotten", || (!answers("h1", "192.168.200.2", "")).then_some(()));
    });
}
