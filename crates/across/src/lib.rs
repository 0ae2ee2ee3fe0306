//! AI-Across: the product. Types, rules, operations, and the ports it asks of the outside; no HTTP, no SQL, no vendor.
//!
//! One module is one domain. Reading order, each using only the ones before it:
//! [`id`] [`clock`] [`money`] [`page`] [`secret`] [`fault`] [`kept`] [`replay`], [`actor`] [`audit`] [`settings`], [`identity`], [`governance`], [`jobs`],
//! [`providers`], [`retrieval`],
//! [`assistants`], [`knowledge`], [`conversations`], [`platform`] [`work`].
//!
//! Invariants: a port method is one use and one transaction; "not found" is an `Option`, never an error; nothing here
//! reads the machine's clock, environment or network.

pub mod actor;
pub mod assistants;
pub mod audit;
pub mod clock;
pub mod conversations;
pub mod fault;
pub mod governance;
pub mod id;
pub mod identity;
pub mod jobs;
pub mod kept;
pub mod knowledge;
pub mod money;
pub mod page;
pub mod platform;
pub mod providers;
pub mod replay;
pub mod retrieval;
pub mod secret;
pub mod settings;
pub mod work;
