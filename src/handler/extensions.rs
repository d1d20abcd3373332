//! What middleware hands on with a request: one value of each type.

use std::any::{Any, TypeId};
use std::fmt;

/// Values that travel with a request, at most one of each type: who it is from, its id, and
/// whatever else one middleware finds out for those behind it and for the handler. Nothing is
/// allocated until the first is put in.
#[derive(Default)]
pub struct Extensions {
    values: Option<Box<Values>>,
}

type Values = Vec<(TypeId, Box<dyn Any>)>;

impl Extensions {
    /// Puts a value in, and returns the one of its type that was there before.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        let values = self.values.get_or_insert_default();
        let value = Box::new(value);
        match values.iter_mut().find(|(id, _)| *id == TypeId::of::<T>()) {
            Some((_, known)) => {
                let before = std::mem::replace(known, value);
                before.downcast().ok().map(|before| *before)
            }
            None => {
                values.push((TypeId::of::<T>(), value));
                None
            }
        }
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let mut values = self.values.as_ref()?.iter();
        let (_, value) = values.find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// Takes the value of this type out.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let values = self.values.as_mut()?;
        let at = values.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        values.swap_remove(at).1.downcast().ok().map(|value| *value)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.values.as_ref().map_or(0, |values| values.len());
        f.debug_struct("Extensions")
            .field("count", &count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn there_is_one_value_of_each_type() {
        let mut extensions = Extensions::default();
        assert_eq!(extensions.get::<u8>(), None);
        assert_eq!(extensions.remove::<u8>(), None);
        let name: Rc<str> = "ann".into();
        assert_eq!(extensions.insert(1u8), None);
        assert_eq!(extensions.insert(name), None);
        assert_eq!(extensions.insert(2u8), Some(1));
        assert_eq!(extensions.get::<u8>(), Some(&2));
        assert_eq!(extensions.get::<Rc<str>>().map(|name| &**name), Some("ann"));
        assert_eq!(extensions.get::<u16>(), None);
        assert_eq!(extensions.remove::<u8>(), Some(2));
        assert_eq!(extensions.get::<u8>(), None);
    }
}
