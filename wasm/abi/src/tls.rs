//! `tls_config_…` and `tls_connection_…`.

use std::sync::Arc;

use mtls_engine::tls::config::{Config, Settings};
use mtls_engine::tls::connection::{Connection, Progress, Target};
use mtls_engine::tls::failure::Failure;

use crate::handles::Handles;
use crate::imports::{emit, Embedder, Emission};
use crate::memory::input;
use crate::{FAILED, OK, UNKNOWN_HANDLE};

thread_local! {
    static CONFIGS: Handles<Config> = const { Handles::new() };
    static CONNECTIONS: Handles<Connection> = const { Handles::new() };
}

/// Input: [`Settings`]. Returns a handle.
#[no_mangle]
extern "C" fn tls_config_new(pointer: *const u8, len: usize) -> i32 {
    let config = Settings::read(input(pointer, len))
        .map_err(Failure::from)
        .and_then(|settings| Config::new(&settings, Arc::new(Embedder)));
    handle_of(config, |config| CONFIGS.with(|all| all.insert(config)))
}

#[no_mangle]
extern "C" fn tls_config_free(config: i32) {
    CONFIGS.with(|all| all.remove(config));
}

/// Input: [`Target`]. Returns a handle.
#[no_mangle]
extern "C" fn tls_connection_new(config: i32, pointer: *const u8, len: usize) -> i32 {
    let target = input(pointer, len);
    let made = CONFIGS.with(|all| {
        all.with(config, |config| {
            Connection::new(config, &Target::read(target)?)
        })
    });
    match made {
        Some(made) => handle_of(made, |it| CONNECTIONS.with(|all| all.insert(it))),
        None => UNKNOWN_HANDLE,
    }
}

#[no_mangle]
extern "C" fn tls_connection_free(connection: i32) {
    CONNECTIONS.with(|all| all.remove(connection));
}

/// Input: ciphertext from the peer; none starts the handshake.
#[no_mangle]
extern "C" fn tls_connection_process(connection: i32, pointer: *const u8, len: usize) -> i32 {
    with_connection(connection, |it| it.process(input(pointer, len)))
}

/// Input: plaintext to send.
#[no_mangle]
extern "C" fn tls_connection_write(connection: i32, pointer: *const u8, len: usize) -> i32 {
    with_connection(connection, |it| it.write(input(pointer, len)))
}

/// Sends close_notify.
#[no_mangle]
extern "C" fn tls_connection_close(connection: i32) -> i32 {
    with_connection(connection, Connection::close)
}

fn with_connection(connection: i32, act: impl FnOnce(&mut Connection) -> Progress) -> i32 {
    match CONNECTIONS.with(|all| all.with(connection, act)) {
        Some(progress) => report(&progress),
        None => UNKNOWN_HANDLE,
    }
}

/// The order matters to the host: what was received before a failure is good.
fn report(progress: &Progress) -> i32 {
    if !progress.ciphertext.is_empty() {
        emit(Emission::Ciphertext, &progress.ciphertext);
    }
    if let Some(handshake) = &progress.handshake {
        emit(Emission::Handshake, &handshake.write());
    }
    if !progress.plaintext.is_empty() {
        emit(Emission::Plaintext, &progress.plaintext);
    }
    if progress.peer_closed {
        emit(Emission::PeerClosed, &[]);
    }
    match &progress.failure {
        Some(failure) => fail(failure),
        None => OK,
    }
}

fn handle_of<T>(made: Result<T, Failure>, keep: impl FnOnce(T) -> i32) -> i32 {
    match made {
        Ok(object) => keep(object),
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> i32 {
    emit(Emission::Failure, &failure.write());
    FAILED
}
