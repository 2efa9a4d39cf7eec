//! One trace in the terminal.

mod fetch;
mod tree;
mod waterfall;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::DataArgument;
use crate::load::parse_duration;
use crate::terminal::{Paint, Screen, out, outln, width};

/// Draw one trace as a waterfall.
#[derive(Args, Debug)]
#[command(after_help = "\
The id is the second part of a `traceresponse` header, or the whole header. Exits with 1 if the \
observatory has no such trace.")]
pub(crate) struct Arguments {
    /// Trace id (hex), or a traceresponse header
    id: String,
    /// How long to wait for spans that are still under way
    #[arg(long, default_value = "6s", value_parser = parse_duration)]
    wait: Duration,
    /// The observatory [default: that of the running city, else http://127.0.0.1:16686]
    #[arg(long)]
    url: Option<String>,
    /// Print the trace as the observatory gives it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgument,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let id = parse_id(&arguments.id)?;
    let url = match arguments.url {
        Some(url) => url,
        None => {
            let data = arguments.data.dir()?;
            crate::city::address(&data, "observatory", "http://127.0.0.1:16686")?
        }
    };
    let screen = Screen::new();
    screen.live(&format!("waiting for {id}"));
    let found = fetch::fetch(&url, &id, arguments.wait).await;
    screen.clear();
    let Some(found) = found? else {
        screen.note(&format!(
            "the observatory at {url} has no trace {id}: it may be older than what fits its \
             memory, or not sampled; `citywatch doctor` says how full it is"
        ));
        return Ok(ExitCode::FAILURE);
    };
    if arguments.json {
        outln!("{}", found.raw);
    } else {
        out!(
            "{}",
            waterfall::draw(&found.tree(), width(), Paint::stdout())
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A bare id, or `00-<id>-<span>-<flags>`, with or without the header's name before it.
fn parse_id(text: &str) -> Result<String> {
    let value = text.rsplit(' ').next().unwrap_or(text);
    let id = match value.split('-').collect::<Vec<_>>()[..] {
        [_, id, _, _] | [id] => id.to_lowercase(),
        _ => String::new(),
    };
    let hex = !id.is_empty() && id.len() <= 32 && id.chars().all(|c| c.is_ascii_hexdigit());
    if !hex {
        bail!("`{text}` is not a trace id: up to 32 hexadecimal digits, or a traceresponse header");
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_alone_or_out_of_its_header() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        for text in [
            id.to_owned(),
            id.to_uppercase(),
            format!("00-{id}-b7ad6b7169203331-01"),
            format!("traceresponse: 00-{id}-b7ad6b7169203331-01"),
        ] {
            assert_eq!(parse_id(&text).unwrap(), id, "{text}");
        }
        for wrong in ["", "xyz", "00-12", &"a".repeat(33)] {
            assert!(parse_id(wrong).is_err(), "{wrong}");
        }
    }
}
