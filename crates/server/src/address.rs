//! Who a request comes from: the peer of the connection, or whom a trusted proxy names.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, request::Parts},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use crate::state::AppState;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who a request comes from, as far as can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address: the connection's peer, or the last one before our own proxies.
    pub(crate) address: IpAddr,
    /// Whether the client speaks HTTPS, to us or to a proxy of ours.
    pub(crate) is_https: bool,
}

impl Client {
    fn new(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        let mut client = Self {
            address: peer,
            is_https: false,
        };
        if !is_within(peer, proxies) {
            return client;
        }
        // Every proxy adds whom it saw at the end, so from there on entries can be trusted as long as they are proxies.
        for entry in entries(headers, &FORWARDED_FOR).rev() {
            let Some(address) = parse(entry) else { break };
            client.address = address;
            if !is_within(address, proxies) {
                break;
            }
        }
        let protocol = entries(headers, &FORWARDED_PROTO).next_back();
        client.is_https = protocol.is_some_and(|name| name.eq_ignore_ascii_case("https"));
        client
    }
}

/// The parts of a header's list, over all its lines.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines = headers
        .get_all(name)
        .iter()
        .map(|line| line.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// An address, which some proxies write with a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let address = entry
        .parse()
        .or_else(|_| entry.parse().map(|with_port: SocketAddr| with_port.ip()));
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let address = address.ok().or_else(|| in_brackets().map(IpAddr::V6))?;
    Some(address.to_canonical())
}

/// Whether an address is in one of these networks.
pub(crate) fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// What stands for an address where requests and connections are counted: of the newer addresses everyone has a whole
/// network, so that is what counts.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// Finds out once for every request who it comes from.
pub(crate) async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let mut client = Client::new(peer, request.headers(), &state.http.trusted_proxies);
    client.is_https |= state.http.is_public_https();
    request.extensions_mut().insert(client);
    next.run(request).await
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self {
            address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            is_https: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], protocol: &str) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        headers.append(FORWARDED_PROTO, protocol.parse().unwrap());
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let client = Client::new(peer.parse().unwrap(), &headers, &proxies);
        (client.address.to_string(), client.is_https)
    }

    #[test]
    fn s65_only_what_trusted_proxies_saw_counts() {
        for (peer, forwarded, address) in [
            // A stranger may write what it likes.
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.7, 10.1.1.1"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::1]:80, fd00::2"], "2001:db8::1"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, nonsense, 10.2.2.2"], "10.2.2.2"),
        ] {
            assert_eq!(client(peer, forwarded, "http").0, address, "{peer} {forwarded:?}");
        }
        assert!(!client("192.0.2.1", &[], "https").1);
        assert!(client("10.0.0.1", &[], "HTTPS").1);
        assert!(!client("10.0.0.1", &[], "https, http").1);
    }

    #[test]
    fn a_network_of_new_addresses_counts_as_one() {
        let same = |a: &str, b: &str| counted(a.parse().unwrap()) == counted(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8:0:1::1", "2001:db8::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
