//! What the simulation is asked to do: its own flags and variables. Whatever else `cargo test`
//! passes on (filters, `--nocapture`, `--test-threads 4`) is for the usual harness and left alone.

/// How to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Only this seed, step by step.
    pub seed: Option<u64>,
    /// A fault to put into the wires of that one seed.
    pub fault: Option<String>,
    /// The first seed.
    pub from: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Only say what there is to run.
    pub list: bool,
}

/// Seeds of an ordinary run.
const SEEDS: u64 = 1_000;

impl Options {
    /// Reads flags, and variables where a flag is missing. Flags win.
    pub fn read(
        mut args: impl Iterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let (mut seed, mut seeds, mut from) = (None, None, None);
        let (mut fault, mut list) = (None, false);
        while let Some(arg) = args.next() {
            let (flag, value) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let mut value = || value.clone().or_else(|| args.next()).unwrap_or_default();
            match flag {
                "--seed" => seed = Some(number(flag, &value())?),
                "--seeds" => seeds = Some(number(flag, &value())?),
                "--from" => from = Some(number(flag, &value())?),
                "--fault" => fault = Some(value()),
                "--list" => list = true,
                _ => {}
            }
        }
        let or_variable = |flag: Option<u64>, name: &str| match (flag, variable(name)) {
            (None, Some(value)) => number(name, &value).map(Some),
            (flag, _) => Ok(flag),
        };
        // A count on the command line is for more than one seed, whatever the environment says.
        let seed = if seeds.is_some() {
            seed
        } else {
            or_variable(seed, "SHARDCAST_SIM_SEED")?
        };
        let seeds = or_variable(seeds, "SHARDCAST_SIM_SEEDS")?.unwrap_or(SEEDS);
        Ok(Self {
            seed,
            fault,
            from: from.unwrap_or(0),
            seeds,
            list,
        })
    }
}

fn number(name: &str, value: &str) -> Result<u64, String> {
    value
        .parse()
        .map_err(|_| format!("{name} takes a number, not {value:?}"))
}
