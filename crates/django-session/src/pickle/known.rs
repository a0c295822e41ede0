//! Classes and functions with a meaning that a reader of sessions must know, such as `datetime` and `UUID`.

use super::text::Text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Not one of these: what it makes stays opaque.
    Other,
    Object,
    Dict,
    /// A mapping that is made from pairs.
    OrderedDict,
    /// A mapping whose first argument makes its missing values.
    DefaultDict,
    List,
    Deque,
    Tuple,
    Set,
    FrozenSet,
    Str,
    Bytes,
    ByteArray,
    /// `codecs.encode`: how Python 3 spells bytes for protocols 0 to 2.
    Encode,
    Reconstructor,
    NewObj,
    NewObjEx,
    Decimal,
    Uuid,
    Date,
    Time,
    DateTime,
    TimeDelta,
    TimeZone,
    /// A `tzinfo` for UTC: Django's own up to 4.x, and pytz's.
    Utc,
    /// pytz's function for a zone's offset at some time.
    PytzOffset,
    ZoneInfo,
}

const KNOWN: &[(&str, &str, Known)] = &[
    ("__builtin__", "bytearray", Known::ByteArray),
    ("__builtin__", "bytes", Known::Bytes),
    ("__builtin__", "dict", Known::Dict),
    ("__builtin__", "frozenset", Known::FrozenSet),
    ("__builtin__", "list", Known::List),
    ("__builtin__", "object", Known::Object),
    ("__builtin__", "set", Known::Set),
    ("__builtin__", "str", Known::Str),
    ("__builtin__", "tuple", Known::Tuple),
    ("__builtin__", "unicode", Known::Str),
    ("_codecs", "encode", Known::Encode),
    ("builtins", "bytearray", Known::ByteArray),
    ("builtins", "bytes", Known::Bytes),
    ("builtins", "dict", Known::Dict),
    ("builtins", "frozenset", Known::FrozenSet),
    ("builtins", "list", Known::List),
    ("builtins", "object", Known::Object),
    ("builtins", "set", Known::Set),
    ("builtins", "str", Known::Str),
    ("builtins", "tuple", Known::Tuple),
    ("collections", "Counter", Known::OrderedDict),
    ("collections", "OrderedDict", Known::OrderedDict),
    ("collections", "defaultdict", Known::DefaultDict),
    ("collections", "deque", Known::Deque),
    ("copy_reg", "__newobj__", Known::NewObj),
    ("copy_reg", "__newobj_ex__", Known::NewObjEx),
    ("copy_reg", "_reconstructor", Known::Reconstructor),
    ("copyreg", "__newobj__", Known::NewObj),
    ("copyreg", "__newobj_ex__", Known::NewObjEx),
    ("copyreg", "_reconstructor", Known::Reconstructor),
    ("datetime", "date", Known::Date),
    ("datetime", "datetime", Known::DateTime),
    ("datetime", "time", Known::Time),
    ("datetime", "timedelta", Known::TimeDelta),
    ("datetime", "timezone", Known::TimeZone),
    ("decimal", "Decimal", Known::Decimal),
    ("django.utils.timezone", "UTC", Known::Utc),
    ("pytz", "_UTC", Known::Utc),
    ("pytz", "_p", Known::PytzOffset),
    ("uuid", "UUID", Known::Uuid),
    ("zoneinfo", "ZoneInfo._unpickle", Known::ZoneInfo),
];

impl Known {
    /// Whether it makes a mapping other than a plain dict.
    pub(super) fn is_mapping(self) -> bool {
        matches!(self, Self::OrderedDict | Self::DefaultDict)
    }

    /// Whether what it makes is equal to no text.
    pub(super) fn is_never_text(self) -> bool {
        matches!(
            self,
            Self::Object
                | Self::Decimal
                | Self::Uuid
                | Self::Date
                | Self::Time
                | Self::DateTime
                | Self::TimeDelta
                | Self::TimeZone
                | Self::Utc
                | Self::PytzOffset
                | Self::ZoneInfo
        )
    }

    pub(super) fn find(module: Text, name: Text, payload: &[u8]) -> Self {
        KNOWN
            .iter()
            .find(|(m, n, _)| module.is(payload, m) && name.is(payload, n))
            .map_or(Self::Other, |(_, _, known)| *known)
    }
}
