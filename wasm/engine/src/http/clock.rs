//! Time for hyper, as the host tells it.
//!
//! It passes only by [`Clock::advance`]: a host that was asleep or busy does not tell all of the time that it missed, and so
//! does not take its own silence for the server's.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

#[derive(Clone)]
pub struct Clock(Arc<Mutex<State>>);

struct State {
    now: Instant,
    sleepers: Vec<Waker>,
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Instant::now(),
            sleepers: Vec::new(),
        })))
    }
}

impl Clock {
    pub fn advance(&self, time: Duration) {
        let mut state = self.lock();
        state.now += time;
        for sleeper in state.sleepers.drain(..) {
            sleeper.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let clock = self.clone();
        Box::pin(Sleeping { clock, deadline })
    }

    fn now(&self) -> Instant {
        self.lock().now
    }
}

struct Sleeping {
    clock: Clock,
    deadline: Instant,
}

impl Sleep for Sleeping {}

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.deadline {
            return Poll::Ready(());
        }
        if !state.sleepers.iter().any(|it| it.will_wake(cx.waker())) {
            state.sleepers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
