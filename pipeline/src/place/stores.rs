//! Connections to object stores.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3CopyIfNotExists};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

/// For how long what fails is tried again, if the environment does not say otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum For {
    /// Reading at most a MiB at once.
    Ranges,
    /// Reading and writing whole objects, and parts of some MiB.
    Objects,
}

impl For {
    /// How long one request may take.
    fn timeout(self) -> Duration {
        match self {
            Self::Ranges => Duration::from_secs(30),
            Self::Objects => Duration::from_secs(120),
        }
    }
}

/// Whether the environment allows a connection without TLS. Options of ours take the place of what a builder makes of the
/// variable.
fn allows_http(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|allow| allow.eq_ignore_ascii_case("true"))
}

/// An address that is none would end in a panic, or say little.
fn check_endpoint() -> object_store::Result<()> {
    let endpoint = std::env::var("AWS_ENDPOINT_URL").or_else(|_| std::env::var("AWS_ENDPOINT"));
    let wrong = |what: &str| object_store::Error::NotSupported {
        source: format!("AWS_ENDPOINT_URL={}: {what}", endpoint.as_deref().unwrap_or_default()).into(),
    };
    match endpoint.as_deref() {
        Ok(address) if address.starts_with("http://") && !allows_http("AWS_ALLOW_HTTP") => {
            Err(wrong("without TLS it needs AWS_ALLOW_HTTP=true"))
        }
        Ok(address)
            if !address.is_empty()
                && !["https://", "http://"].iter().any(|begin| address.starts_with(begin)) =>
        {
            Err(wrong("it begins with https:// or http://"))
        }
        _ => Ok(()),
    }
}

/// `ETUDE_NETWORK_SECONDS`, or a minute.
fn patience() -> Duration {
    let set = std::env::var("ETUDE_NETWORK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    set.map_or(PATIENCE, Duration::from_secs)
}

/// A store, with what the environment says of credentials, region and endpoint; one for each bucket and use.
pub fn connect(
    scheme: &str,
    bucket: &str,
    server: &str,
    purpose: For,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    type Known = HashMap<(String, For), Arc<dyn ObjectStore>>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(store) = known.get(&(server.to_owned(), purpose)) {
        return Ok(store.clone());
    }
    // It is the time that decides, not the number.
    let retry = RetryConfig { max_retries: usize::MAX, retry_timeout: patience(), ..RetryConfig::default() };
    let options = ClientOptions::new().with_timeout(purpose.timeout());
    let store: Arc<dyn ObjectStore> = match scheme {
        "s3" => {
            check_endpoint()?;
            let options = options.with_allow_http(allows_http("AWS_ALLOW_HTTP"));
            let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
            let builder = builder.with_copy_if_not_exists(S3CopyIfNotExists::Multipart);
            Arc::new(builder.with_client_options(options).build()?)
        }
        "gs" => {
            let options = options.with_allow_http(allows_http("GOOGLE_ALLOW_HTTP"));
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry);
            Arc::new(builder.with_client_options(options).build()?)
        }
        "az" => {
            let options = options.with_allow_http(allows_http("AZURE_ALLOW_HTTP"));
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket).with_retry(retry);
            Arc::new(builder.with_client_options(options).build()?)
        }
        "http" | "https" => {
            let options = options.with_allow_http(scheme == "http");
            let builder = HttpBuilder::new().with_url(server).with_client_options(options);
            Arc::new(builder.with_retry(retry).build()?)
        }
        other => {
            return Err(object_store::Error::NotSupported {
                source: format!("the scheme {other}:// is not known").into(),
            });
        }
    };
    known.insert((server.to_owned(), purpose), store.clone());
    Ok(store)
}
