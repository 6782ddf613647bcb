//! Sizes such as `2GiB`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Size(pub u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a size such as 512MiB or 2GiB, found `{text}`");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "k" | "kib" => 1024.0,
            "kb" => 1e3,
            "m" | "mib" => 1024f64.powi(2),
            "mb" => 1e6,
            "g" | "gib" => 1024f64.powi(3),
            "gb" => 1e9,
            _ => return Err(wrong()),
        };
        let bytes = number * unit;
        if bytes < 16.0 * 1024.0 * 1024.0 {
            return Err(format!("{text} is less than 16MiB, the least that a run can do with"));
        }
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0.checked_ilog2().unwrap_or(0) / 10 {
            0 => write!(formatter, "{} B", self.0),
            1 => write!(formatter, "{:.1} KiB", bytes / 1024.0),
            2 => write!(formatter, "{:.1} MiB", bytes / 1024f64.powi(2)),
            _ => write!(formatter, "{:.1} GiB", bytes / 1024f64.powi(3)),
        }
    }
}

impl Size {
    /// A sixteenth of the machine's memory, at least 512 MiB.
    pub fn of_machine() -> Self {
        let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        Self((total.unwrap_or(0) * 1024 / 16).max(512 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units() {
        assert_eq!("2GiB".parse(), Ok(Size(2 << 30)));
        assert_eq!("1.5 GiB".parse(), Ok(Size(3 << 29)));
        assert_eq!("100MB".parse(), Ok(Size(100_000_000)));
        assert!("2 apples".parse::<Size>().is_err());
        assert!("1KiB".parse::<Size>().unwrap_err().contains("less than"));
    }
}
