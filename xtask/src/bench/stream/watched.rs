//! Processor times and memory of the processes that take part, while something is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::chats::Moment;
use crate::server;

/// Of three processes: who is asked, the provider, and this one.
pub struct Watched {
    pids: [u32; 3],
    began: Option<Moments>,
    /// How long was measured.
    pub period: Duration,
    times: [Duration; 3],
    all: Duration,
    /// The largest resident set of the first, in bytes.
    pub resident: u64,
}

impl Watched {
    /// Nothing was measured yet.
    pub const fn new(pids: [u32; 3]) -> Self {
        Self {
            pids,
            began: None,
            period: Duration::ZERO,
            times: [Duration::ZERO; 3],
            all: Duration::ZERO,
            resident: 0,
        }
    }

    /// Reads the times at the beginning and at the end, and keeps the largest resident set.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn look(&mut self, moment: Moment, resident: u64) -> Result<()> {
        self.resident = self.resident.max(resident);
        if moment == Moment::Goes {
            return Ok(());
        }
        let now = Moments::read(self.pids)?;
        if moment == Moment::Begins {
            self.began = Some(now);
            return Ok(());
        }
        let began = self.began.take().context("nothing was measured")?;
        self.period = now.at - began.at;
        self.times = std::array::from_fn(|place| now.times[place].saturating_sub(began.times[place]));
        self.all = now.all.saturating_sub(began.all);
        Ok(())
    }

    /// Seconds of processor time of one of them.
    pub fn processor(&self, place: usize) -> f64 {
        self.times[place].as_secs_f64()
    }

    /// How many cores each of them kept busy.
    pub fn cores(&self) -> [f64; 3] {
        std::array::from_fn(|place| self.processor(place) / self.period.as_secs_f64().max(f64::MIN_POSITIVE))
    }

    /// How many cores other programs kept busy meanwhile.
    pub fn others(&self) -> f64 {
        let others = self.all.saturating_sub(self.times.iter().sum());
        others.as_secs_f64() / self.period.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Processor times at one moment.
struct Moments {
    at: Instant,
    times: [Duration; 3],
    /// Of all processes of the machine.
    all: Duration,
}

impl Moments {
    fn read(pids: [u32; 3]) -> Result<Self> {
        let mut times = [Duration::ZERO; 3];
        for (time, pid) in times.iter_mut().zip(pids) {
            *time = server::processor_time(pid)?;
        }
        Ok(Self {
            at: Instant::now(),
            times,
            all: server::machine_time()?,
        })
    }
}
