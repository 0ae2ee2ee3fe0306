//! How much a person or an address may ask for: requests a minute, uploads and connections at a time.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use across::id::UserId;

use crate::{
    address::{Client, counted},
    error::{ApiError, Kind},
    metrics,
};

/// Requests are counted in windows of this length.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses or people that are told apart in two windows; whoever comes after them shares one count.
const MAX_KEYS: usize = 100_000;
/// Forbidden requests of one person a minute that are written down.
const DENIALS_NOTED: u32 = 60;
/// Uploads at a time, and of one person.
const MAX_UPLOADS: usize = 4;
const MAX_UPLOADS_PER_USER: usize = 2;
/// Seconds after which to try an upload again that found no place.
const UPLOAD_PAUSE: u64 = 10;

/// Every limit of this process that is counted from request to request.
pub struct Limits {
    users: Meter<UserId>,
    addresses: Meter<IpAddr>,
    denials: Meter<UserId>,
    uploads: Places<UserId>,
}

impl Limits {
    /// Limits of so many requests a minute for a signed-in user and for an anonymous address; 0: none.
    #[must_use]
    pub fn new(per_user: u32, per_address: u32) -> Self {
        Self {
            users: Meter::new(per_user),
            addresses: Meter::new(per_address),
            denials: Meter::new(DENIALS_NOTED),
            uploads: Places::new(MAX_UPLOADS, MAX_UPLOADS_PER_USER),
        }
    }

    /// Counts a request of someone who is signed in.
    pub(crate) fn count_user(&self, user: UserId) -> Result<(), ApiError> {
        let verdict = self.users.count(user, Instant::now());
        verdict.map_err(|wait| too_many(wait, metrics::RefusedFor::User))
    }

    /// Counts a request of someone who is not signed in.
    pub(crate) fn count_address(&self, client: Client) -> Result<(), ApiError> {
        let verdict = self.addresses.count(counted(client.address), Instant::now());
        verdict.map_err(|wait| too_many(wait, metrics::RefusedFor::Address))
    }

    /// Whether one more forbidden request of this person goes into the audit log: it tells as much as a thousand of them.
    pub(crate) fn may_note_denial(&self, user: UserId) -> bool {
        self.denials.count(user, Instant::now()).is_ok()
    }

    /// A place for an upload; it is free again when the returned value is dropped.
    pub(crate) fn upload(&self, user: UserId) -> Result<Place<UserId>, ApiError> {
        let refusal = |kind, message| ApiError::new(kind, message).retry_after(UPLOAD_PAUSE);
        self.uploads.take(user).map_err(|full| match full {
            Full::ForAll => refusal(
                Kind::UNAVAILABLE,
                "Several files are being uploaded already. Try again in a few seconds.",
            ),
            Full::ForOne => refusal(
                Kind::RATE_LIMIT,
                "You upload two files already. Try again when one of them has arrived.",
            ),
        })
    }
}

fn too_many(wait: Duration, refused_for: metrics::RefusedFor) -> ApiError {
    metrics::rate_limited(refused_for);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let message = format!("Too many requests. Try again in {seconds} {unit}.");
    ApiError::new(Kind::RATE_LIMIT, message).retry_after(seconds)
}

/// Counts events a minute for each key: those of this window, and those of the one before in so far as the last minute
/// reaches into it.
struct Meter<K> {
    limit: u32,
    windows: Mutex<Windows<K>>,
}

struct Windows<K> {
    begun: Option<Instant>,
    counts: HashMap<K, Counts>,
    others: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    before: u32,
    now: u32,
}

impl<K: Eq + Hash> Meter<K> {
    fn new(limit: u32) -> Self {
        Self {
            limit,
            windows: Mutex::new(Windows {
                begun: None,
                counts: HashMap::new(),
                others: Counts::default(),
            }),
        }
    }

    /// Counts one event, or says how long to wait for the next; events that are refused do not count.
    fn count(&self, key: K, now: Instant) -> Result<(), Duration> {
        if self.limit == 0 {
            return Ok(());
        }
        let mut windows = lock(&self.windows);
        let elapsed = windows.advance(now);
        let has_room = windows.counts.len() < MAX_KEYS || windows.counts.contains_key(&key);
        let counts = if has_room {
            windows.counts.entry(key).or_default()
        } else {
            &mut windows.others
        };
        counts.add(self.limit, elapsed)
    }
}

impl<K: Eq + Hash> Windows<K> {
    /// Goes on to the present window; returns how much of it has passed.
    fn advance(&mut self, now: Instant) -> Duration {
        let begun = *self.begun.get_or_insert(now);
        let elapsed = now.saturating_duration_since(begun);
        let passed = elapsed.as_secs() / WINDOW.as_secs();
        if passed == 0 {
            return elapsed;
        }
        let is_next = passed == 1;
        self.others.turn(is_next);
        self.counts.retain(|_, counts| {
            counts.turn(is_next);
            counts.before > 0
        });
        self.counts.shrink_to(self.counts.len() * 2);
        let rest = elapsed - WINDOW * u32::try_from(passed).unwrap_or(u32::MAX);
        self.begun = now.checked_sub(rest);
        rest
    }
}

impl Counts {
    const fn turn(&mut self, is_next: bool) {
        self.before = if is_next { self.now } else { 0 };
        self.now = 0;
    }

    fn add(&mut self, limit: u32, elapsed: Duration) -> Result<(), Duration> {
        let left = 1.0 - elapsed.as_secs_f64() / WINDOW.as_secs_f64();
        let used = f64::from(self.before) * left + f64::from(self.now);
        if used + 1.0 <= f64::from(limit) {
            self.now += 1;
            return Ok(());
        }
        // The share of the earlier window that may still count when the next event has room.
        let (earlier, present, rest) = if self.now < limit {
            (self.before, self.now, Duration::ZERO)
        } else {
            (self.now, 0, WINDOW.saturating_sub(elapsed))
        };
        let share = f64::from(limit - present - 1) / f64::from(earlier.max(1));
        let at = WINDOW.mul_f64((1.0 - share).clamp(0.0, 1.0));
        let from = if rest.is_zero() { elapsed } else { Duration::ZERO };
        Err((rest + at.saturating_sub(from)).max(Duration::from_secs(1)))
    }
}

/// A number of places, of which one key may take only so many.
pub(crate) struct Places<K>(Arc<Taken<K>>);

struct Taken<K> {
    for_all: usize,
    for_one: usize,
    taken: Mutex<(usize, HashMap<K, usize>)>,
}

/// What there was no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// For anyone.
    ForAll,
    /// For this key.
    ForOne,
}

/// One taken place; it is free again when this is dropped.
pub(crate) struct Place<K: Eq + Hash> {
    key: Option<K>,
    places: Arc<Taken<K>>,
}

impl<K: Eq + Hash + Clone> Places<K> {
    pub(crate) fn new(for_all: usize, for_one: usize) -> Self {
        Self(Arc::new(Taken {
            for_all,
            for_one,
            taken: Mutex::new((0, HashMap::new())),
        }))
    }

    /// A place for a key.
    pub(crate) fn take(&self, key: K) -> Result<Place<K>, Full> {
        let mut taken = lock(&self.0.taken);
        if taken.1.get(&key).is_some_and(|count| *count >= self.0.for_one) {
            return Err(Full::ForOne);
        }
        if taken.0 >= self.0.for_all {
            return Err(Full::ForAll);
        }
        taken.0 += 1;
        *taken.1.entry(key.clone()).or_default() += 1;
        Ok(self.place(Some(key)))
    }

    /// A place for someone of whom there may be any number.
    pub(crate) fn take_exempt(&self) -> Result<Place<K>, Full> {
        let mut taken = lock(&self.0.taken);
        if taken.0 >= self.0.for_all {
            return Err(Full::ForAll);
        }
        taken.0 += 1;
        Ok(self.place(None))
    }

    fn place(&self, key: Option<K>) -> Place<K> {
        Place {
            key,
            places: Arc::clone(&self.0),
        }
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.0 = taken.0.saturating_sub(1);
        if let Some(key) = &self.key {
            let is_last = taken.1.get_mut(key).is_some_and(|count| {
                *count = count.saturating_sub(1);
                *count == 0
            });
            if is_last {
                taken.1.remove(key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many events pass.
    fn passing(meter: &Meter<usize>, key: usize, now: Instant, events: usize) -> usize {
        (0..events).filter(|_| meter.count(key, now).is_ok()).count()
    }

    #[test]
    fn a_minute_is_any_minute_and_not_one_of_the_clock() {
        let (meter, begin) = (Meter::new(100), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(passing(&meter, 1, at(0), 30), 30);
        assert_eq!(passing(&meter, 1, at(59), 100), 70);
        assert_eq!(
            passing(&meter, 1, at(60), 100),
            0,
            "a burst over the edge of two windows"
        );
        assert_eq!(passing(&meter, 2, at(60), 200), 100, "others are not concerned");
        assert_eq!(
            passing(&meter, 1, at(90), 100),
            50,
            "half of the earlier window still counts"
        );
        assert_eq!(passing(&meter, 1, at(300), 200), 100);
        assert_eq!(passing(&Meter::new(0), 1, begin, 100_000), 100_000, "0 is off");
    }

    #[test]
    fn whoever_waits_as_long_as_told_passes() {
        for (gap, burst) in [(0, 10), (13, 10), (59, 10), (61, 3), (100, 7)] {
            let (meter, begin) = (Meter::new(10), Instant::now());
            passing(&meter, 1, begin, 4);
            let mut now = begin + Duration::from_secs(gap);
            passing(&meter, 1, now, burst);
            for _ in 0..50 {
                if let Err(wait) = meter.count(1, now) {
                    assert!(wait >= Duration::from_secs(1) && wait <= 2 * WINDOW, "{wait:?}");
                    assert!(meter.count(1, now + wait.mul_f64(0.9)).is_err() || wait == Duration::from_secs(1));
                    now += wait + Duration::from_millis(1);
                    assert_eq!(meter.count(1, now), Ok(()), "{gap} {burst}");
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_old_entries_go() {
        let (meter, begin) = (Meter::new(10), Instant::now());
        for key in 0..MAX_KEYS {
            assert_eq!(meter.count(key, begin), Ok(()));
        }
        let newcomers = (MAX_KEYS..2 * MAX_KEYS).filter(|key| meter.count(*key, begin).is_ok());
        assert_eq!(newcomers.count(), 10, "they share one count");
        assert_eq!(meter.count(1, begin), Ok(()), "whoever is known keeps their own");
        assert_eq!(lock(&meter.windows).counts.len(), MAX_KEYS);
        assert_eq!(meter.count(1, begin + 3 * WINDOW), Ok(()));
        assert_eq!(lock(&meter.windows).counts.len(), 1);
    }

    #[test]
    fn s42_one_key_gets_its_share_of_the_places_and_no_more() {
        let places = Places::new(4, 2);
        let first = places.take(1).ok();
        let _second = places.take(1).ok();
        assert_eq!(places.take(1).err(), Some(Full::ForOne));
        let _others = (places.take(2).ok(), places.take_exempt().ok());
        assert_eq!(places.take(3).err(), Some(Full::ForAll));
        assert_eq!(places.take_exempt().err(), Some(Full::ForAll));
        drop(first);
        assert!(places.take(3).is_ok());
        assert_eq!(lock(&places.0.taken).1.len(), 2);
    }
}
