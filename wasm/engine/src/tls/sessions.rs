//! The session cache: one for all connections of a configuration, cut into partitions that never share a session.
//!
//! rustls keys sessions by server name alone. An identity may be allowed at one port and not at another, and a resumed
//! session carries the client's identity with it, so the host names the partition (host, port, who may be shown, what was answered).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::NamedGroup;

const MAX_PARTITIONS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Partitions>);

#[derive(Debug, Default)]
struct Partitions {
    by_name: HashMap<String, Arc<ClientSessionMemoryCache>>,
    oldest_first: VecDeque<String>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Partitions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn partition(&self, name: &str) -> Arc<ClientSessionMemoryCache> {
        let mut partitions = self.lock();
        if let Some(cache) = partitions.by_name.get(name) {
            return cache.clone();
        }
        if partitions.oldest_first.len() >= MAX_PARTITIONS {
            if let Some(oldest) = partitions.oldest_first.pop_front() {
                partitions.by_name.remove(&oldest);
            }
        }
        let cache = Arc::new(ClientSessionMemoryCache::new(1));
        partitions.by_name.insert(name.to_owned(), cache.clone());
        partitions.oldest_first.push_back(name.to_owned());
        cache
    }
}

/// The cache of one partition, as one connection sees it.
#[derive(Debug)]
pub(super) struct Partition(Arc<ClientSessionMemoryCache>);

impl Partition {
    pub(super) fn new(sessions: Arc<Sessions>, name: &str) -> Self {
        Self(sessions.partition(name))
    }
}

impl ClientSessionStore for Partition {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.0.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        self.0.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server_name)
    }
}
