//! The scripted vendor as a program: prints where it listens and serves until it is stopped.
//!
//! `scripted-vendor [ADDRESS]`, by default a free port of the loopback interface. What it answers can be told to it over
//! HTTP: see `across_testkit::vendor::control`.

use std::{
    error::Error,
    io::{Write as _, stdout},
    net::SocketAddr,
};

use across_testkit::vendor::ScriptedVendor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let address: SocketAddr = address
        .parse()
        .map_err(|error| format!("{address:?} is not an address like 127.0.0.1:9000: {error}"))?;
    let vendor = ScriptedVendor::start_at(address).await?;
    writeln!(stdout(), "listening on {}", vendor.base_url)?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
