//! Objects that the host names by number. Numbers are never used twice.

use std::cell::RefCell;
use std::collections::BTreeMap;

pub struct Handles<T>(RefCell<Table<T>>);

struct Table<T> {
    last: i32,
    objects: BTreeMap<i32, T>,
}

impl<T> Handles<T> {
    pub const fn new() -> Self {
        Self(RefCell::new(Table {
            last: 0,
            objects: BTreeMap::new(),
        }))
    }

    pub fn insert(&self, object: T) -> i32 {
        let mut table = self.0.borrow_mut();
        table.last += 1;
        let handle = table.last;
        table.objects.insert(handle, object);
        handle
    }

    pub fn with<R>(&self, handle: i32, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.borrow_mut().objects.get_mut(&handle).map(act)
    }

    pub fn remove(&self, handle: i32) -> Option<T> {
        self.0.borrow_mut().objects.remove(&handle)
    }
}
