//! The service in another process: asks `phasegate-rollouts serve` over TLS. It sends a token made for that alone, read
//! anew for each call, and whatever goes wrong on the way is undecided.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use proto::step::v1::{
    AbortRequest, AbortResponse, RunRequest, RunResponse, TerminateRequest, TerminateResponse, Undecided,
    run_response::Outcome, step_plugin_client::StepPluginClient, step_plugin_server::StepPlugin,
};
use tokio::time::{Instant, timeout_at};
use tonic::{
    Code, Request, Response, Status, async_trait,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use super::convert;
use crate::{chain::chain, step::message};

/// A file of a token, or of certificates, is smaller than this.
const LONGEST_FILE: u64 = 1024 * 1024;
/// Where nothing answers, the connection is given up after this.
const CONNECT: Duration = Duration::from_millis(1500);
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Where the gate is and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Its address, `https://...`.
    pub endpoint: String,
    /// Who signs its certificate, PEM.
    pub ca_file: PathBuf,
    /// The token to send.
    pub token_file: PathBuf,
    /// How long one question may take.
    pub patience: Duration,
}

/// Why the gate was not asked, or gave no answer. The texts go to users.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("cannot read `{path}`, which an argument of the plugin names")]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("`{path}` holds no token; mount a projected service account token of audience phasegate there")]
    NoToken { path: PathBuf },
    #[error("`{endpoint}` cannot be asked")]
    Unusable {
        endpoint: String,
        #[source]
        cause: tonic::transport::Error,
    },
    #[error("the gate at {endpoint} does not know this plugin: {told}")]
    Denied { endpoint: String, told: String },
    #[error("the gate at {endpoint} could not answer: {told}")]
    Unable { endpoint: String, told: String },
    #[error("the gate at {endpoint} cannot be reached: {told}")]
    Unreachable { endpoint: String, told: String },
    #[error("the gate at {endpoint} did not answer within {} ms", within.as_millis())]
    Late { endpoint: String, within: Duration },
}

/// The gate elsewhere.
pub struct Remote {
    settings: RemoteSettings,
    /// A connection, and the certificates it was made with.
    channel: Mutex<Option<(Vec<u8>, Channel)>>,
}

impl Remote {
    /// Nothing is read or connected before the first question.
    pub const fn new(settings: RemoteSettings) -> Self {
        Self { settings, channel: Mutex::new(None) }
    }

    async fn ask(&self, question: RunRequest) -> Result<RunResponse, Unanswered> {
        let within = self.settings.patience;
        let until = Instant::now() + within;
        let late = || Unanswered::Late { endpoint: self.settings.endpoint.clone(), within };
        let mut again = true;
        loop {
            let answer = timeout_at(until, self.ask_once(question.clone(), until)).await;
            let Ok(answer) = answer else {
                // Whatever it hangs in, the next question begins with a new connection.
                self.forget();
                return Err(late());
            };
            match answer {
                Ok(answer) => return Ok(answer),
                // A copy that leaves ends its connections, and another is there: nothing was changed by asking.
                Err(Unanswered::Unreachable { .. }) if again => {
                    self.forget();
                    again = false;
                }
                Err(why) => return Err(why),
            }
        }
    }

    async fn ask_once(&self, question: RunRequest, until: Instant) -> Result<RunResponse, Unanswered> {
        let endpoint = || self.settings.endpoint.clone();
        let authorization = self.authorization().await?;
        let channel = self.channel().await?;
        let mut request = Request::new(question);
        request.metadata_mut().insert("authorization", authorization);
        request.set_timeout(until.saturating_duration_since(Instant::now()));
        let asked = StepPluginClient::new(channel).max_decoding_message_size(64 * 1024).run(request).await;
        asked.map(Response::into_inner).map_err(|status| match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => {
                Unanswered::Denied { endpoint: endpoint(), told: status.message().to_owned() }
            }
            Code::DeadlineExceeded | Code::Cancelled => {
                Unanswered::Late { endpoint: endpoint(), within: self.settings.patience }
            }
            Code::Ok
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => match status.source() {
                // Nobody there said anything.
                Some(cause) => Unanswered::Unreachable { endpoint: endpoint(), told: chain(cause) },
                None => Unanswered::Unable { endpoint: endpoint(), told: status.message().to_owned() },
            },
        })
    }

    /// Read anew for each question: the kubelet replaces it long before it ends.
    async fn authorization(&self) -> Result<MetadataValue<Ascii>, Unanswered> {
        let path = &self.settings.token_file;
        let token = contents(path).await?;
        let text = [b"Bearer ", token.trim_ascii()].concat();
        let value = MetadataValue::try_from(text.as_slice()).ok().filter(|_| !token.trim_ascii().is_empty());
        let mut value = value.ok_or_else(|| Unanswered::NoToken { path: path.clone() })?;
        // Kept out of every debug print, and of HTTP/2's tables.
        value.set_sensitive(true);
        Ok(value)
    }

    /// The connection, made anew when the certificates it trusts were renewed.
    async fn channel(&self) -> Result<Channel, Unanswered> {
        let trusted = contents(&self.settings.ca_file).await?;
        let mut kept = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((with, channel)) = kept.as_ref()
            && *with == trusted
        {
            return Ok(channel.clone());
        }
        let unusable = |cause| Unanswered::Unusable { endpoint: self.settings.endpoint.clone(), cause };
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&trusted));
        let endpoint = Endpoint::from_shared(self.settings.endpoint.clone()).map_err(unusable)?;
        let endpoint = endpoint.tls_config(tls).map_err(unusable)?;
        let channel = endpoint
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .tcp_nodelay(true)
            .connect_lazy();
        *kept = Some((trusted, channel.clone()));
        Ok(channel)
    }

    fn forget(&self) {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn contents(path: &Path) -> Result<Vec<u8>, Unanswered> {
    use tokio::io::AsyncReadExt;
    let read = async {
        let mut contents = Vec::new();
        tokio::fs::File::open(path).await?.take(LONGEST_FILE).read_to_end(&mut contents).await?;
        Ok(contents)
    };
    read.await.map_err(|cause| Unanswered::Unreadable { path: path.to_owned(), cause })
}

#[async_trait]
impl StepPlugin for Remote {
    async fn run(&self, request: Request<RunRequest>) -> Result<Response<RunResponse>, Status> {
        let answer = self.ask(request.into_inner()).await.unwrap_or_else(|why| {
            tracing::warn!(error = chain(&why), "the gate was not asked");
            let message = message::clipped(&format!("undecided: {}. Argo asks again in about 30 s", chain(&why)));
            RunResponse { outcome: Some(Outcome::Undecided(Undecided { message })) }
        });
        Ok(Response::new(answer))
    }

    // Argo asks these two once, and does not ask again after an error: they are answered here, whatever is out of reach.
    async fn terminate(&self, _: Request<TerminateRequest>) -> Result<Response<TerminateResponse>, Status> {
        Ok(Response::new(TerminateResponse { result: Some(convert::nothing_to_undo(convert::TERMINATED)) }))
    }

    async fn abort(&self, _: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        Ok(Response::new(AbortResponse { result: Some(convert::nothing_to_undo(convert::ABORTED)) }))
    }
}
