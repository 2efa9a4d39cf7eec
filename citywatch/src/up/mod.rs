//! Raises the city, keeps it up, and takes it down in order.

mod backoff;
pub(crate) mod board;
pub(crate) mod control;
mod lines;
mod log_file;
mod output;
mod plan;
mod ports;
mod ready;
pub(crate) mod stack;
mod supervisor;

pub(crate) use plan::reachable;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::DataArgument;
use crate::bank;
use crate::city::CityState;
use crate::data_dir::DataDir;
use crate::journal::Journal;
use crate::load::{self, Load, parse_rate};
use crate::services::{self, Stage};
use crate::terminal::{Paint, Screen, out, outln};
use board::{Board, Processes, Status};
use output::Output;
use plan::{Plan, Secrets, parse_replicas, plan};
use ready::FirstAdmin;
use supervisor::{Supervised, Wanted};

/// A city that is not up by then will not be.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Whoever stops the city does not wait long for its shoppers.
const SETTLE: Duration = Duration::from_secs(2);
/// A process that dies this often before it was ever ready will not be.
const START_ATTEMPTS: u32 = 3;

/// Raise the city: every service as a process of its own, watched and restarted.
#[derive(Args, Debug)]
#[command(after_help = "\
The gateway listens on 127.0.0.1:8080, the registry on 8500, the observatory on 16686 (OTLP: 4317, \
4318); each is a setting (`citywatch settings gateway`). The data folder holds keys, stores and \
logs, and is private to you. The city ends with this command, however this command ends.")]
pub(crate) struct Arguments {
    /// Run several processes of a service, like catalog=3
    #[arg(long, value_name = "SERVICE=COUNT", value_parser = parse_replicas)]
    replicas: Vec<(String, u32)>,
    /// Send shoppers from the start: 20/s, 1200/m
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    load: Option<f64>,
    /// Seed of the shoppers [default: random]
    #[arg(long, requires = "load")]
    seed: Option<u64>,
    /// With the collector, Jaeger, Prometheus and Alertmanager that are on this machine
    #[arg(long)]
    stack: bool,
    /// Webhook that alerts are posted to [default: the setting `pager_url` of `stack`]
    #[arg(long, value_name = "URL", requires = "stack")]
    pager: Option<String>,
    /// Let whoever holds the operator token break it on purpose: for drills, never for a shop
    #[arg(long)]
    faults: bool,
    /// Leave down what dies
    #[arg(long)]
    no_restart: bool,
    /// Show every log line, not warnings and errors alone
    #[arg(long, short)]
    verbose: bool,
    /// Print the addresses as one line of JSON
    #[arg(long)]
    json: bool,
    /// Settings file [default: citywatch.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgument,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let started = Instant::now();
    let data = arguments.data.dir()?;
    let _lock = data.prepare()?;
    let password = data.first_admin_password();
    let secrets = Secrets {
        operator_token: data.ensure_operator_token()?,
        acquirer_token: data.ensure_acquirer_token()?,
        first_admin_password: password.ensure()?,
    };
    let wanted = plan::Wanted {
        replicas: arguments.replicas.iter().cloned().collect(),
        faults: arguments.faults,
        stack: arguments.stack,
        pager: arguments.pager.as_deref(),
    };
    let plan = plan(&data, arguments.config.as_deref(), &wanted, &secrets)?;
    let first_admin = secrets
        .first_admin_password
        .map(|password| first_admin(arguments.config.as_deref(), password))
        .transpose()?;

    let screen = Arc::new(Screen::new());
    let mut interrupts = Interrupts::new()?;
    let mut city = City::new(data, &plan, &arguments, Arc::clone(&screen));
    let raised = tokio::select! {
        raised = city.raise(plan) => raised,
        () = interrupts.next() => {
            screen.clear();
            city.lower(&mut interrupts).await;
            return Ok(ExitCode::FAILURE);
        }
    };
    screen.clear();
    if let Err(error) = raised {
        city.lower(&mut interrupts).await;
        return Err(error);
    }
    let took = started.elapsed();
    if first_admin.is_some() {
        password.taken()?;
    }
    let processes = city.board.now();
    if arguments.json {
        let report = ready::Report {
            event: "ready",
            seconds: took.as_secs_f64(),
            addresses: &city.addresses,
            processes: &processes,
            first_admin: first_admin.as_ref(),
        };
        outln!("{}", serde_json::to_string(&report)?);
    } else {
        let paint = Paint::stdout();
        out!(
            "{}",
            ready::table(
                took,
                &city.addresses,
                &processes,
                first_admin.as_ref(),
                paint
            )
        );
    }

    let stop_load = CancellationToken::new();
    let load = arguments
        .load
        .map(|per_second| city.load(per_second, arguments.seed, stop_load.clone()))
        .transpose()?;
    interrupts.next().await;
    stop_load.cancel();
    screen.clear();
    if let Some(load) = load
        && let Ok(Ok(report)) = load.await
    {
        screen.note(&report.to_string());
    }
    city.lower(&mut interrupts).await;
    Ok(ExitCode::SUCCESS)
}

/// Who the first admin is, by the settings of the users service.
fn first_admin(config: Option<&std::path::Path>, password: String) -> Result<FirstAdmin> {
    let settings = services::find("users")?.settings(&services::sources(config)?)?;
    let email = settings
        .iter()
        .find(|setting| setting.key.name == "first_admin_email")
        .and_then(|setting| setting.value.as_str())
        .context("the users service has no setting `first_admin_email`")?;
    Ok(FirstAdmin {
        email: email.to_owned(),
        password,
    })
}

struct City {
    data: DataDir,
    addresses: BTreeMap<String, String>,
    board: Board,
    output: Arc<Output>,
    screen: Arc<Screen>,
    restarts: bool,
    processes: Vec<Supervised>,
    /// All that stopping may take.
    stop_limit: Duration,
}

impl City {
    fn new(data: DataDir, plan: &Plan, arguments: &Arguments, screen: Arc<Screen>) -> Self {
        let parts = [
            ("gateway", "gateway", "listen"),
            ("registry", "registry", "listen"),
            ("observatory", "observatory", "listen"),
            ("otlp_grpc", "observatory", "otlp_grpc_listen"),
            ("otlp_http", "observatory", "otlp_http_listen"),
            (bank::NAME, bank::NAME, "listen"),
        ];
        let mut addresses: BTreeMap<String, String> = parts
            .into_iter()
            .filter_map(|(part, service, key)| {
                Some((part.to_owned(), plan::url(&plan.listeners, service, key)?))
            })
            .collect();
        addresses.extend(plan.stack.iter().flat_map(|stack| stack.addresses.clone()));
        Self {
            data,
            addresses,
            board: Board::new(),
            output: Arc::new(Output::new(Arc::clone(&screen), arguments.verbose)),
            screen,
            restarts: !arguments.no_restart,
            processes: Vec::new(),
            stop_limit: plan.patience.drain + plan.patience.terminate * 2,
        }
    }

    /// Starts all in turn; returns when all are ready.
    async fn raise(&mut self, plan: Plan) -> Result<()> {
        let listener = control::listen(&self.data)?;
        tokio::spawn(keep_state(
            self.data.clone(),
            self.addresses.clone(),
            self.board.clone(),
            Arc::clone(&self.screen),
        ));
        let Plan {
            mut specs,
            patience,
            stack,
            ..
        } = plan;
        if let Some(stack) = stack {
            stack.watch(&self.board)?;
        }
        specs.sort_by_key(|spec| turn(spec.service));
        for specs in specs.chunk_by(|one, next| turn(one.service) == turn(next.service)) {
            for spec in specs {
                self.processes.push(Supervised::start(
                    spec.clone(),
                    self.restarts,
                    patience,
                    self.board.clone(),
                    Arc::clone(&self.output),
                ));
            }
            self.until_ready().await?;
        }
        // Whoever reads city.json from now on finds the city up.
        let ready = |written: &Processes| {
            written.len() == self.processes.len()
                && written
                    .values()
                    .all(|process| process.status == Status::Ready)
        };
        self.board.wait_written(Duration::from_secs(1), ready).await;
        self.output.settled(true);
        tokio::spawn(control::serve(
            listener,
            self.processes.clone(),
            self.board.clone(),
        ));
        Ok(())
    }

    async fn until_ready(&self) -> Result<()> {
        let mut processes = self.board.watch();
        let waiting = async {
            loop {
                let now = processes.borrow_and_update().clone();
                let missing: Vec<String> = now
                    .values()
                    .filter(|process| process.status != Status::Ready)
                    .map(board::Process::name)
                    .collect();
                if missing.is_empty() {
                    return Ok(());
                }
                self.screen
                    .live(&format!("starting {}", missing.join(", ")));
                self.refuse_the_hopeless(&now)?;
                if processes.changed().await.is_err() {
                    bail!("nothing runs any more");
                }
            }
        };
        match tokio::time::timeout(START_LIMIT, waiting).await {
            Ok(outcome) => outcome,
            Err(_) => bail!(
                "not ready within {START_LIMIT:?}; the logs in {} may say why",
                self.data.logs().display()
            ),
        }
    }

    fn refuse_the_hopeless(&self, processes: &Processes) -> Result<()> {
        let attempts = if self.restarts { START_ATTEMPTS } else { 1 };
        let hopeless = processes
            .values()
            .find(|process| process.restarts >= attempts && process.status != Status::Ready);
        if let Some(process) = hopeless {
            bail!(
                "{} does not start: {}\nits log: {}",
                process.name(),
                process.died.as_deref().unwrap_or("it says nothing"),
                process.log.display()
            );
        }
        Ok(())
    }

    fn load(
        &self,
        per_second: f64,
        seed: Option<u64>,
        stop: CancellationToken,
    ) -> Result<tokio::task::JoinHandle<Result<load::Report>>> {
        let gateway = self
            .addresses
            .get("gateway")
            .context("the gateway has no address")?;
        let load = Load {
            base: load::parse_base(gateway)?,
            per_second,
            mix: load::Mix::default(),
            seed: seed.unwrap_or_else(rand::random),
            duration: None,
            in_flight: load::IN_FLIGHT,
            journal: Some(Journal::open(&self.data.order_journal())?),
            settle: SETTLE,
        };
        let screen = Arc::clone(&self.screen);
        screen.note(&format!(
            "{per_second:.1} requests/s of shoppers, seed {}",
            load.seed
        ));
        Ok(tokio::spawn(async move {
            load::run(load, &screen, false, stop).await
        }))
    }

    /// Stops all, the gateway first and the ground last. A second interrupt kills.
    async fn lower(&mut self, interrupts: &mut Interrupts) {
        self.output.settled(false);
        self.screen.note("stopping; interrupt again to kill");
        tokio::select! {
            () = self.stop_in_order() => {}
            () = interrupts.next() => {
                for process in &self.processes {
                    process.want(Wanted::Killed);
                }
                self.until_stopped(|_| true).await;
            }
        }
        for leftover in [self.data.state(), self.data.control()] {
            // An unclean folder is no reason to fail: the lock says whether a city runs.
            let _ = std::fs::remove_file(leftover);
        }
    }

    async fn stop_in_order(&self) {
        let order: [&dyn Fn(&str) -> bool; 6] = [
            &stack::judges,
            &|service| stage(service) == Stage::Edge,
            &|service| stage(service) == Stage::Inner,
            // It still has spans for those behind it.
            &|service| service == stack::COLLECTOR,
            // The observatory is there until the last span is.
            &|service| stage(service) == Stage::Ground && service != "observatory",
            &|_| true,
        ];
        for meant in order {
            for process in self
                .processes
                .iter()
                .filter(|process| meant(process.service))
            {
                process.want(Wanted::Stopped);
            }
            self.until_stopped(meant).await;
        }
    }

    async fn until_stopped(&self, meant: impl Fn(&str) -> bool) {
        let stopped = |processes: &Processes| {
            processes
                .values()
                .filter(|process| meant(&process.service))
                .all(|process| process.status == Status::Stopped)
        };
        self.board.wait(self.stop_limit, stopped).await;
    }
}

/// The ground first, then what takes its telemetry, then the rest; the door last, so that it knows
/// of everyone when it opens.
fn turn(service: &str) -> u8 {
    match stage(service) {
        _ if stack::judges(service) => 3,
        _ if stack::is_part(service) => 1,
        Stage::Ground => 0,
        Stage::Inner => 2,
        Stage::Edge => 3,
    }
}

/// The bank and the stack are nobody's service. The bank is there before whoever charges.
fn stage(service: &str) -> Stage {
    services::find(service).map_or(Stage::Ground, |entry| entry.stage)
}

/// Writes `city.json` at every change, for as long as it is polled.
async fn keep_state(
    data: DataDir,
    addresses: BTreeMap<String, String>,
    board: Board,
    screen: Arc<Screen>,
) {
    let mut processes = board.watch();
    loop {
        let now = processes.borrow_and_update().clone();
        if let Err(error) = CityState::new(addresses.clone(), now.clone()).write(&data) {
            screen.note(&format!("{error:#}"));
        }
        board.written(now);
        if processes.changed().await.is_err() {
            return;
        }
    }
}

/// Ctrl-C, SIGTERM, or a terminal that goes away.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listen for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("listen for SIGHUP")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
