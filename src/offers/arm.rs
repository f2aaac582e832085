//! The arms of the experiment that measures what offers bring.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::Id;

/// Whether a customer is sent offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// Offers are sent.
    Treatment,
    /// Offers are recorded but not sent.
    Control,
}

impl Arm {
    /// The arm of a customer: control if the first 53 bits of SHA-256 over salt and id, read as a
    /// number from 0 to 1, are below `control_share`. It depends on nothing else, so it stays the
    /// same from night to night, and a larger share only adds customers to the control arm.
    #[must_use]
    pub fn of(customer: Id<'_>, salt: &str, control_share: f64) -> Self {
        // The salt's length keeps ("a", "b1") and ("ab", "1") apart.
        let digest = Sha256::new()
            .chain_update((salt.len() as u64).to_le_bytes())
            .chain_update(salt)
            .chain_update(customer.to_string());
        let bytes: [u8; 32] = digest.finalize().into();
        let bits = bytes
            .iter()
            .take(8)
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte))
            >> 11;
        match (bits as f64) / ((1_u64 << 53) as f64) < control_share {
            true => Arm::Control,
            false => Arm::Treatment,
        }
    }

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Arm::Treatment => "treatment",
            Arm::Control => "control",
        }
    }
}
