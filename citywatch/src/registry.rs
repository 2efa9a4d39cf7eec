//! The registry as the operator sees it.

use anyhow::Result;
use discovery::{Credentials, RegistryClient};

use crate::data_dir::DataDir;

/// A client with the operator token of this data folder.
pub(crate) fn client(data: &DataDir) -> Result<RegistryClient> {
    let url = crate::city::address(data, "registry", "http://127.0.0.1:8500")?;
    let token = data.operator_token()?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let http = reqwest_middleware::ClientBuilder::new(http).build();
    Ok(RegistryClient::new(
        &url,
        http,
        Some(Credentials::Operator(token)),
    ))
}
