//! One request and its response.

use std::cell::{Cell, RefCell};
use std::future::{poll_fn, Future};
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::client::conn::TrySendError;
use hyper::ext::ReasonPhrase;

use super::body::{BodySource, RequestBody};
use super::connection::Answer;
use super::connection_fields;
use super::event::{Event, Events, ResponseHead};
use super::failure::{is_fault_of_stream, is_fault_of_trailers, Failure, FailureKind, Stage};
use super::pipe::{Flow, Pipe};
use super::stream_number;

/// One pull gives no more than about this much.
const PULL_BYTES: usize = 256 * 1024;

/// The host's demand for the next piece of the response's body.
#[derive(Clone, Default)]
pub struct Demand(Rc<DemandState>);

#[derive(Default)]
struct DemandState {
    pulled: Cell<bool>,
    /// No further pull is waited for.
    all: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Demand {
    pub fn pull(&self) {
        self.0.pulled.set(true);
        if let Some(waker) = self.0.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Asks for all pieces.
    pub fn pull_all(&self) {
        self.0.all.set(true);
        self.pull();
    }

    async fn next(&self) {
        poll_fn(|cx| {
            if self.0.pulled.take() || self.0.all.get() {
                return Poll::Ready(());
            }
            *self.0.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Where an exchange tells how it goes.
pub struct Reporter {
    pub request: i32,
    pub events: Events,
    pub pipe: Pipe,
    pub body: BodySource,
    /// The request asks for another protocol.
    pub upgrades: bool,
    /// On h1 a connection has one exchange at a time: what was received since it began belongs to it.
    pub received_before: Option<u64>,
}

/// Drives an exchange to its end, and the body by the host's demand.
pub async fn run(answer: impl Future<Output = Answer>, demand: Demand, reporter: Reporter) {
    match answer.await {
        Ok(response) => receive(response, &demand, &reporter).await,
        Err(error) => reporter.unanswered(&error),
    }
}

async fn receive(mut response: Response<Incoming>, demand: &Demand, reporter: &Reporter) {
    let mut head = head_of(&mut response);
    let stream = stream_number::take(&mut head.headers);
    let flow = stream.map(|stream| reporter.pipe.flow(stream));
    if reporter.pipe.has_renamed() {
        connection_fields::remove(&mut head.headers);
    }
    if let Some(failure) = fault_of(&head, reporter.upgrades) {
        return reporter.fail(failure);
    }
    reporter.tell(Event::ResponseHead(reporter.request, head));
    // hyper takes a stream that is reset with NO_ERROR or CANCEL for one that has ended; h2 knows better.
    let ends_by_flag = response.version() == Version::HTTP_2;
    let mut body = response.into_body();
    let mut missing = body.size_hint().exact().unwrap_or(0);
    while !body.is_end_stream() {
        demand.next().await;
        let (data, rest) = read(&mut body).await;
        let length = length_of(&data);
        missing = missing.saturating_sub(length as u64);
        if let Some(flow) = &flow {
            flow.take(length);
        }
        reporter.data(data);
        match rest {
            Rest::More => {}
            Rest::End(_) if ends_by_flag && !body.is_end_stream() => {
                return reporter.fail(Failure::given_up());
            }
            Rest::End(mut trailers) => {
                if reporter.pipe.has_renamed() {
                    connection_fields::remove(&mut trailers);
                }
                return reporter.tell(Event::ResponseEnd(reporter.request, trailers));
            }
            Rest::Failed(_) if flow.as_ref().is_some_and(Flow::is_overrun) => {
                return reporter.fail(Failure::beyond_window());
            }
            Rest::Failed(error) if is_fault_of_trailers(&error) => break,
            Rest::Failed(error) if missing > 0 && is_fault_of_stream(&error) => {
                return reporter.tell(Event::Failed(reporter.request, Failure::other_length()));
            }
            Rest::Failed(error) => {
                return reporter.fail(Failure::of(&error, Stage::Responding, &reporter.pipe))
            }
        }
    }
    reporter.tell(Event::ResponseEnd(reporter.request, HeaderMap::new()));
}

/// What hyper lets pass.
fn fault_of(head: &ResponseHead, upgrades: bool) -> Option<Failure> {
    if head.is_too_large() {
        return Some(Failure::too_large());
    }
    if head.status == StatusCode::SWITCHING_PROTOCOLS && !upgrades {
        return Some(Failure::protocol(
            "the server changes the protocol, unasked",
        ));
    }
    fault_of_framing(head)
}

/// Of an h1 body.
fn fault_of_framing(head: &ResponseHead) -> Option<Failure> {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next().filter(|_| head.version < Version::HTTP_2)?;
    // Whoever is between may have gone by the other one (RFC 9112 section 6.3).
    if head.headers.contains_key(CONTENT_LENGTH) {
        return Some(Failure::protocol("a body has both a length and chunks"));
    }
    // No other coding was asked for (RFC 9112 section 7), and hyper would pass on what is coded.
    let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
    (!chunked).then(|| Failure::protocol("a body has a transfer coding that was not asked for"))
}

enum Rest {
    More,
    End(HeaderMap),
    Failed(hyper::Error),
}

/// Waits for one frame, and takes along what has already come behind it.
async fn read(body: &mut Incoming) -> (Vec<Bytes>, Rest) {
    let mut data = Vec::new();
    while length_of(&data) < PULL_BYTES && !body.is_end_stream() {
        let next = if data.is_empty() {
            body.frame().await
        } else {
            match body.frame().now_or_never() {
                Some(next) => next,
                None => break,
            }
        };
        match next {
            None => return (data, Rest::End(HeaderMap::new())),
            Some(Err(error)) => return (data, Rest::Failed(error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => data.push(bytes),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return (data, Rest::End(trailers));
                }
            },
        }
    }
    (data, Rest::More)
}

fn length_of(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

fn head_of(response: &mut Response<Incoming>) -> ResponseHead {
    let reason = match response.extensions().get::<ReasonPhrase>() {
        Some(reason) => reason.as_bytes(),
        None if response.version() < Version::HTTP_2 => response
            .status()
            .canonical_reason()
            .unwrap_or_default()
            .as_bytes(),
        None => &[],
    };
    ResponseHead {
        reason: reason.to_vec(),
        status: response.status(),
        version: response.version(),
        headers: std::mem::take(response.headers_mut()),
    }
}

impl Reporter {
    fn tell(&self, event: Event) {
        self.events.push(event);
    }

    fn data(&self, mut data: Vec<Bytes>) {
        data.retain(|piece| !piece.is_empty());
        if !data.is_empty() {
            self.tell(Event::ResponseData(self.request, data));
        }
    }

    fn unanswered(&self, error: &TrySendError<Request<RequestBody>>) {
        let received = self
            .received_before
            .is_some_and(|before| self.pipe.received() > before);
        let stage = if received {
            Stage::Responding
        } else {
            Stage::Nothing
        };
        self.fail(match error.message() {
            Some(_) => Failure::unprocessed(),
            None => Failure::of(error.error(), stage, &self.pipe),
        });
    }

    fn fail(&self, failure: Failure) {
        let cut = matches!(failure.kind, FailureKind::Closed | FailureKind::Incomplete);
        let failure = if self.body.aborted() {
            // On h2 all that hyper tells is that the stream was reset.
            Failure::body_aborted()
        } else if cut && self.pipe.failed() {
            Failure::transport()
        } else if cut && self.pipe.open() && self.received_before.is_none() {
            // hyper ends an h2 connection in this way for one reason, and tells bodies no more than that it ended.
            Failure::silent()
        } else {
            failure
        };
        self.tell(Event::Failed(self.request, failure));
    }
}
