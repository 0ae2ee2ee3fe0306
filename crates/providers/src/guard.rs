//! Which addresses an administrator may have called: a `custom` provider's URL must not turn this program into a way
//! into the machine's own network.
//!
//! A URL is parsed once, by the parser that the client uses too. A host's name is resolved here and nowhere else, every
//! address of it is checked, and the connection goes to those very addresses; so a name that changes between a check and
//! its use changes nothing.

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;
use url::{Host, Url};

/// Finds the addresses of a host.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of the host with this name.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own way of finding addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Why an address is not called. The words are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It has a meaning of its own, or answers with the machine's credentials.
    #[error(
        "This address is reserved (link-local, cloud metadata, multicast or the like) and is never called. Enter the \
         server's ordinary address."
    )]
    Reserved,
    /// It is this machine, or inside its network.
    #[error(
        "This address is on this machine or in a private network. Servers there are called only if the installation's \
         configuration says AI_ACROSS_ALLOW_PRIVATE_PROVIDERS=true."
    )]
    Private,
}

/// Decides which addresses may be called.
#[derive(Clone)]
pub struct Guard {
    lookup: Arc<dyn Lookup>,
    allow_private: bool,
    patience: Duration,
}

impl Guard {
    /// A guard that finds addresses with `lookup`, waiting `patience` for them, and lets this machine and private networks
    /// be called only if `allow_private`.
    #[must_use]
    pub fn new(lookup: Arc<dyn Lookup>, allow_private: bool, patience: Duration) -> Self {
        Self {
            lookup,
            allow_private,
            patience,
        }
    }

    /// The URL of a provider's server, if it may be called now.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub async fn check(&self, base_url: &str) -> Result<Url, String> {
        let url = parse(base_url)?;
        match url.host() {
            Some(Host::Domain(name)) => match self.resolve(name).await {
                Ok(_) => Ok(url),
                Err(error) => Err(forbidden(error.as_ref()).map_or_else(
                    || format!("No server was found under the name {name}. Check its spelling."),
                    |forbidden| forbidden.to_string(),
                )),
            },
            _ => self
                .check_literal(&url)
                .map(|()| url)
                .map_err(|error| error.to_string()),
        }
    }

    /// Whether the URL names no forbidden address outright. The client asks no resolver for those, so this comes before
    /// every request.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), Forbidden> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Forbidden> {
        match class(address) {
            Class::Public => Ok(()),
            Class::Private if self.allow_private => Ok(()),
            Class::Private => Err(Forbidden::Private),
            Class::Reserved => Err(Forbidden::Reserved),
        }
    }

    /// The addresses of a host, every one of which may be called.
    async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let found = timeout(self.patience, self.lookup.lookup(host))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the name was not resolved in time"))??;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
        }
        for address in &found {
            self.check_address(*address)?;
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = Self::resolve(&guard, name.as_str()).await?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// The refusal of this guard among an error and its causes, if there is one.
pub(crate) fn forbidden(error: &(dyn Error + 'static)) -> Option<Forbidden> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(forbidden) = error.downcast_ref() {
            return Some(*forbidden);
        }
        next = error.source();
    }
    None
}

/// Reads the URL of a provider's server as it was typed.
fn parse(base_url: &str) -> Result<Url, String> {
    let no_address = || "This is no web address. Write it like https://models.example.com/v1.".to_owned();
    // The parser would take these as something else than what a reader sees.
    let misleads = |c: char| c == '\\' || c.is_whitespace() || c.is_control();
    if base_url.contains(misleads) {
        return Err(no_address());
    }
    let url = Url::parse(base_url).map_err(|_| no_address())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("The address begins with https:// or http://.".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The address holds no user name and no password: the key has a field of its own.".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("The address ends before ? and #.".to_owned());
    }
    if url.host().is_none() {
        return Err(no_address());
    }
    Ok(url)
}

/// What kind of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Anybody's.
    Public,
    /// This machine, or a network that is not the internet.
    Private,
    /// Nothing that a provider's server can have.
    Reserved,
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        // Two clouds' metadata services outside the link-local network.
        [100, 100, 100, 200] | [168, 63, 129, 16] => Class::Reserved,
        [127 | 10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Class::Private,
        // Unspecified; link-local with the metadata services; protocol assignments; documentation; 6to4 relays;
        // benchmarks; multicast, the reserved rest and broadcast.
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Private,
        // An address of version 4 in one of its disguises: mapped, translated (NAT64), tunnelled (6to4).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            class_v4(v4(high, low))
        }
        // Metadata services of two clouds among the unique local addresses.
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, ..] => Class::Reserved,
        [0xfc00..=0xfdff, ..] => Class::Private,
        // Protocol assignments with Teredo, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_class() {
        let table = [
            (
                Class::Public,
                "8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.167.1.1 192.0.1.1 223.255.255.255 \
                 2606:4700::1111 64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8",
            ),
            (
                Class::Private,
                "127.0.0.1 127.255.255.255 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 ::1 \
                 fc00::1 fdff::1 ::ffff:7f00:1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::",
            ),
            (
                Class::Reserved,
                "0.0.0.0 0.1.2.3 169.254.169.254 192.0.0.192 100.100.100.200 168.63.129.16 198.18.0.1 203.0.113.7 224.0.0.1 \
                 239.255.255.250 240.0.0.1 255.255.255.255 :: ::7f00:1 fe80::1 fec0::1 ff02::1 fd00:ec2::254 \
                 fd20:ce::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:a9fe:a9fe:: 2001::1 \
                 2001:db8::1 100::1 4000::1",
            ),
        ];
        for (expected, addresses) in table {
            for address in addresses.split_whitespace() {
                assert_eq!(class(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}
