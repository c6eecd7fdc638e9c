//! `tls_config_…`, `tls_connection_…` and `tls_external_…`.

use std::sync::Arc;

use mtls_engine::tls::config::{Config, Settings};
use mtls_engine::tls::connection::{Connection, Progress};
use mtls_engine::tls::external::{Direction, External};
use mtls_engine::tls::failure::Failure;
use mtls_engine::tls::target::Target;

use zeroize::Zeroize;

use crate::handles::Handles;
use crate::imports::{emit, Embedder, Emission};
use crate::memory::input;
use crate::{FAILED, OK, UNKNOWN_HANDLE};

thread_local! {
    static CONFIGS: Handles<Config> = const { Handles::new() };
    static CONNECTIONS: Handles<Connection> = const { Handles::new() };
    static EXTERNALS: Handles<External> = const { Handles::new() };
}

/// Input: [`Settings`]. Returns a handle.
#[no_mangle]
extern "C" fn tls_config_new(pointer: *const u8, len: usize) -> i32 {
    let config = Settings::read(input(pointer, len))
        .map_err(Failure::from)
        .and_then(|settings| Config::new(&settings, Arc::new(Embedder)));
    handle_of(config, |config| CONFIGS.with(|all| all.insert(config)))
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
    match CONNECTIONS.with(|all| all.with(connection, |it| it.process(input(pointer, len)))) {
        Some(progress) => report(&progress),
        None => UNKNOWN_HANDLE,
    }
}

/// Ends the handshake with an alert. Input: ciphertext that came last. Emits what is left to be sent.
#[no_mangle]
extern "C" fn tls_connection_abandon(
    connection: i32,
    alert: u32,
    pointer: *const u8,
    len: usize,
) -> i32 {
    let alert = u8::try_from(alert).unwrap_or_default();
    let said =
        CONNECTIONS.with(|all| all.with(connection, |it| it.abandon(input(pointer, len), alert)));
    match said {
        Some(ciphertext) => {
            emit(Emission::Ciphertext, &ciphertext);
            OK
        }
        None => UNKNOWN_HANDLE,
    }
}

/// Hands the records over to the host, once the handshake is complete: emits their keys and the ciphertext not yet processed.
/// Returns the handle of an external connection in place of this one.
#[no_mangle]
extern "C" fn tls_connection_export(connection: i32) -> i32 {
    let Some(it) = CONNECTIONS.with(|all| all.remove(connection)) else {
        return UNKNOWN_HANDLE;
    };
    match it.into_external() {
        Ok(mut export) => {
            emit(Emission::Keys, &export.keys);
            emit(Emission::Ciphertext, &export.incoming);
            export.keys.zeroize();
            EXTERNALS.with(|all| all.insert(export.external))
        }
        Err(failure) => fail(&failure),
    }
}

#[no_mangle]
extern "C" fn tls_external_free(external: i32) {
    EXTERNALS.with(|all| all.remove(external));
}

/// Input: the body of a NewSessionTicket message. Returns the alert for a malformed one.
#[no_mangle]
extern "C" fn tls_external_keep_ticket(external: i32, pointer: *const u8, len: usize) -> i32 {
    match EXTERNALS.with(|all| all.with(external, |it| it.keep_ticket(input(pointer, len)))) {
        Some(Ok(())) => OK,
        Some(Err(alert)) => alert.into(),
        None => UNKNOWN_HANDLE,
    }
}

/// Emits the next keys to send with (`direction` 0) or to receive with (1).
#[no_mangle]
extern "C" fn tls_external_update_keys(external: i32, direction: u32) -> i32 {
    let direction = if direction == 0 {
        Direction::Send
    } else {
        Direction::Receive
    };
    match EXTERNALS.with(|all| all.with(external, |it| it.update_keys(direction))) {
        Some(Ok(mut keys)) => {
            emit(Emission::Keys, &keys);
            keys.zeroize();
            OK
        }
        Some(Err(failure)) => fail(&failure),
        None => UNKNOWN_HANDLE,
    }
}

fn report(progress: &Progress) -> i32 {
    if !progress.key_log.is_empty() {
        emit(Emission::KeyLog, &progress.key_log);
    }
    if !progress.ciphertext.is_empty() {
        emit(Emission::Ciphertext, &progress.ciphertext);
    }
    if let Some(handshake) = &progress.handshake {
        emit(Emission::Handshake, &handshake.write());
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
