//! Where keys may go: only where they were entered for, and nowhere inside the machine's own network.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use across::{
    providers::{
        failure::Category,
        key::Custom,
        model::{EmbeddingModel, ProviderKind},
        provider::{EmbedPurpose, EmbedRequest, Provider},
        registry::Connector as _,
    },
    secret::Secret,
};
use across_providers::{Reach, VendorConnector, guard::Lookup};
use across_testkit::vendor::{Answer, ScriptedVendor};
use async_trait::async_trait;

use crate::common::{DIRECT, answer, ask, base_for, custom_key, error, provider_at, timeouts};

/// A public address at which nothing is ever called here.
const PUBLIC: &str = "93.184.215.14";

/// A network of a few names. `turning.example` is public when it is first asked for and private ever after.
#[derive(Default)]
struct Names {
    asked: AtomicUsize,
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let before = self.asked.fetch_add(1, Ordering::SeqCst);
        let addresses = match host {
            "localhost" | "localhost." | "inside.example" => "127.0.0.1 ::1",
            "models.example" => "127.0.0.1",
            "office.example" => "10.1.2.3",
            "half.example" => "93.184.215.14 127.0.0.1",
            "metadata.example" => "169.254.169.254",
            "disguised.example" => "::ffff:127.0.0.1",
            "public.example" => PUBLIC,
            "turning.example" if before == 0 => PUBLIC,
            "turning.example" => "127.0.0.1",
            "empty.example" => "",
            _ => return Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
        };
        Ok(addresses.split_whitespace().map(|text| text.parse().unwrap()).collect())
    }
}

fn connector(allow_private: bool) -> (VendorConnector, Arc<Names>) {
    let names = Arc::new(Names::default());
    let reach = Reach {
        timeouts: timeouts(),
        allow_private,
        ..Reach::default()
    };
    let lookup: Arc<dyn Lookup> = names.clone();
    (VendorConnector::with_lookup(reach, lookup).unwrap(), names)
}

fn custom(connector: &VendorConnector, base_url: &str) -> Option<Arc<dyn Provider>> {
    let key = custom_key(Custom {
        base_url: base_url.to_owned(),
        ..Custom::default()
    });
    Some(connector.connect(&key, &Secret::new("sk-of-our-own"))?.0)
}

fn port(vendor: &ScriptedVendor) -> &str {
    vendor.anthropic_url.rsplit(':').next().unwrap()
}

/// Ways to write an address of this machine, with `PORT` for the port.
const THIS_MACHINE: [&str; 22] = [
    "http://127.0.0.1:PORT/v1",
    "http://127.9.9.9:PORT/v1",
    "http://127.1:PORT/v1",
    "http://2130706433:PORT/v1",
    "http://0x7f.1:PORT/v1",
    "http://0x7f000001:PORT/v1",
    "http://0177.0.0.1:PORT/v1",
    "http://017700000001:PORT/v1",
    "http://127.0.0.1.:PORT/v1",
    "http://１２７.0.0.1:PORT/v1",
    "http://%31%32%37.0.0.1:PORT/v1",
    "http://[::1]:PORT/v1",
    "http://[::ffff:127.0.0.1]:PORT/v1",
    "http://[::ffff:7f00:1]:PORT/v1",
    "http://[0:0:0:0:0:ffff:7f00:0001]:PORT/v1",
    "http:127.0.0.1:PORT/v1",
    "HTTP://LocalHost:PORT/v1",
    "http://localhost.:PORT/v1",
    "http://inside.example:PORT/v1",
    "http://half.example:PORT/v1",
    "http://disguised.example:PORT/v1",
    "http://office.example:PORT/v1",
];

/// Addresses that no server of a provider has, whatever the configuration says.
const NOBODY: [&str; 16] = [
    "http://0:PORT/v1",
    "http://0.0.0.0:PORT/v1",
    "http://[::]:PORT/v1",
    "http://[::127.0.0.1]:PORT/v1",
    "http://169.254.169.254/latest/meta-data",
    "http://0xa9fea9fe/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]:PORT/",
    "http://metadata.example:PORT/v1",
    "http://100.100.100.200/",
    "http://224.0.0.1:PORT/",
    "http://255.255.255.255:PORT/",
    "http://240.0.0.1:PORT/",
];

/// Text that is no address of a provider's server.
const NO_ADDRESS: [&str; 20] = [
    "",
    "models.example/v1",
    "a@127.0.0.1",
    "//127.0.0.1:PORT/v1",
    "http://",
    "http://:PORT/v1",
    "http://user@public.example/v1",
    "http://user:word@127.0.0.1:PORT/v1",
    "http://:word@public.example/v1",
    "http://x\\@127.0.0.1:PORT/v1",
    "http:\\\\127.0.0.1:PORT\\v1",
    "http://public.example/v1?key=1",
    "http://public.example/v1?",
    "http://public.example/v1#part",
    "http://public.example/v1\nHost: other",
    " http://public.example/v1",
    "ftp://public.example/v1",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://nowhere.example/v1",
];

#[tokio::test]
async fn s49_addresses_inside_are_neither_taken_nor_called_however_they_are_written() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (connector, _) = connector(false);
    for url in THIS_MACHINE.iter().chain(&NOBODY).chain(&NO_ADDRESS) {
        let url = url.replace("PORT", port(&vendor));
        let sentence = connector.check_base_url(&url).await.unwrap_err();
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{url}: {sentence}");
    }
    // A stored address is checked again with every call.
    for url in THIS_MACHINE.iter().chain(&NOBODY) {
        let url = url.replace("PORT", port(&vendor));
        let provider = custom(&connector, &url).unwrap();
        let refused = provider.models().await.unwrap_err();
        assert_eq!(refused.category, Category::Network, "{url}: {refused}");
        let items = answer(&*provider, ask("Hi")).await;
        assert_eq!(error(&items).category, Category::Network, "{url}");
    }
    assert_eq!(vendor.requests(), [], "not one request arrived");
}

#[tokio::test]
async fn s49_a_name_that_turns_private_after_the_check_connects_nowhere_private() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (connector, names) = connector(false);
    let url = format!("http://turning.example:{}/v1", port(&vendor));
    connector.check_base_url(&url).await.unwrap();
    let refused = custom(&connector, &url).unwrap().models().await.unwrap_err();
    assert_eq!(refused.category, Category::Network);
    assert!(refused.message.contains("private network"), "{refused}");
    assert_eq!(
        names.asked.load(Ordering::SeqCst),
        2,
        "a refusal is not asked for again"
    );
    assert_eq!(vendor.requests(), []);
}

#[tokio::test]
async fn s49_private_servers_are_called_where_the_configuration_allows_it_and_metadata_never() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (connector, names) = connector(true);
    let url = format!("http://models.example:{}/v1", port(&vendor));
    connector.check_base_url(&url).await.unwrap();
    let provider = custom(&connector, &url).unwrap();
    names.asked.store(0, Ordering::SeqCst);
    provider.models().await.unwrap();
    assert_eq!(
        names.asked.load(Ordering::SeqCst),
        1,
        "what was checked is what was called"
    );
    let host = format!("models.example:{}", port(&vendor));
    assert_eq!(vendor.requests()[0].header("host"), Some(host.as_str()));
    let literal = format!("http://127.0.0.1:{}/v1/", port(&vendor));
    connector.check_base_url(&literal).await.unwrap();
    custom(&connector, &literal).unwrap().models().await.unwrap();
    assert_eq!(vendor.requests().len(), 2);

    for url in NOBODY.iter().chain(&NO_ADDRESS) {
        let url = url.replace("PORT", port(&vendor));
        connector.check_base_url(&url).await.unwrap_err();
    }
    for url in NOBODY {
        let url = url.replace("PORT", port(&vendor));
        custom(&connector, &url).unwrap().models().await.unwrap_err();
    }
    assert_eq!(vendor.requests().len(), 2);
}

#[tokio::test]
async fn s49_public_servers_are_taken_and_sentences_say_what_to_do() {
    let (connector, _) = connector(false);
    for url in [
        "https://public.example/v1",
        "http://public.example:8443/v1/",
        "https://[2606:4700::1111]/v1",
    ] {
        connector.check_base_url(url).await.unwrap();
    }
    let sentence = |url: &'static str| {
        let connector = &connector;
        async move { connector.check_base_url(url).await.unwrap_err() }
    };
    assert!(
        sentence("http://localhost/v1")
            .await
            .contains("AI_ACROSS_ALLOW_PRIVATE_PROVIDERS=true")
    );
    assert!(sentence("http://169.254.169.254").await.contains("never called"));
    assert!(sentence("http://nowhere.example").await.contains("nowhere.example"));
    assert!(sentence("http://a:b@public.example").await.contains("field of its own"));
    assert!(sentence("ftp://public.example").await.contains("https://"));
}

#[tokio::test]
async fn s48_a_redirect_takes_no_key_elsewhere() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let elsewhere = ScriptedVendor::start().await.unwrap();
    let names: Arc<dyn Lookup> = Arc::new(Names::default());
    let reach = Reach {
        timeouts: timeouts(),
        allow_private: true,
        ..Reach::default()
    };
    let connector = VendorConnector::with_lookup(reach, names).unwrap();
    let direct = DIRECT.map(|kind| provider_at(kind, base_for(&vendor, kind), Some("sk-test"), timeouts()));
    let own = custom(&connector, &vendor.base_url).unwrap();
    for provider in direct.iter().chain([&own]) {
        for status in [301, 302, 303, 307, 308] {
            vendor.answer_always("/", Answer::redirect(status, &format!("{}/models", elsewhere.base_url)));
            let kind = provider.kind();
            let items = answer(&**provider, ask("Hi")).await;
            assert_eq!(error(&items).category, Category::Malformed, "{kind:?} {status}");
            let failures = [
                provider.models().await.unwrap_err(),
                provider.check_key().await.unwrap_err(),
            ];
            assert!(
                failures.iter().all(|failure| failure.category == Category::Malformed),
                "{kind:?}"
            );
            if kind != ProviderKind::Anthropic {
                let model = EmbeddingModel {
                    id: "any".to_owned(),
                    dimensions: 3,
                };
                let request = EmbedRequest {
                    model,
                    inputs: vec!["words".to_owned()],
                    purpose: EmbedPurpose::Query,
                };
                assert_eq!(provider.embed(request).await.unwrap_err().category, Category::Malformed);
            }
        }
    }
    assert!(!vendor.requests().is_empty());
    assert_eq!(elsewhere.requests(), [], "nobody went there");
}
