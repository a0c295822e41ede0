//! Decodes stored rows: takes the envelope off, inflates the payload and finds the login, with buffers that it reuses.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::decoded::Decoded;
use super::envelope::{Signed, Whole, may_be_whole};
use super::payload::{Bytes, Payload};
use super::zlib::{Inflated, Inflater};
use super::{Codec, DecodeError, KEPT_BUFFER, Keyring, Layout, Signature, base64, json};

/// Texts of more characters are first decoded to their middle only, if there.
const LARGE: usize = 4 << 10;
/// What zlib begins with at the level that Python takes if none is named (RFC 1950).
const ZLIB_HEADER: [u8; 2] = [0x78, 0x9c];
/// Bytes of a payload in which a login is looked for, where the whole would be no gain.
const BEGINNING: usize = 320;

/// Decodes one row after another, reusing its buffers. One per worker.
///
/// A row that needs megabytes takes the buffer that all decoders of the codec share, so other decoders wait with such
/// rows of theirs until this one comes to its next row, or gives it back: see [`Self::page`].
pub struct Decoder<'c> {
    codec: &'c Codec,
    inflater: Inflater,
    own: Buffers,
    shared: Option<MutexGuard<'c, Vec<u8>>>,
}

#[derive(Default)]
struct Buffers {
    /// What a base64 text decodes to.
    bytes: Vec<u8>,
    /// What that inflates to.
    out: Vec<u8>,
}

/// A [`Decoder`] for the rows of one page. When it goes, no other decoder has to wait.
pub struct PageDecoder<'d, 'c>(&'d mut Decoder<'c>);

impl<'c> Deref for PageDecoder<'_, 'c> {
    type Target = Decoder<'c>;

    fn deref(&self) -> &Decoder<'c> {
        self.0
    }
}

impl<'c> DerefMut for PageDecoder<'_, 'c> {
    fn deref_mut(&mut self) -> &mut Decoder<'c> {
        self.0
    }
}

impl Drop for PageDecoder<'_, '_> {
    fn drop(&mut self) {
        self.0.shared = None;
    }
}

impl<'c> Decoder<'c> {
    /// A decoder with empty buffers.
    pub fn new(codec: &'c Codec) -> Self {
        Self { codec, inflater: Inflater::new(), own: Buffers::default(), shared: None }
    }

    /// For as long as one page is worked on. Whoever works beside other decoders uses this, and waits for none of them
    /// as long as it lives.
    pub fn page(&mut self) -> PageDecoder<'_, 'c> {
        PageDecoder(self)
    }

    /// Bytes that its own buffers hold.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.own.bytes.capacity() + self.own.out.capacity()
    }

    /// Takes one stored `session_data` apart. A row that cannot be read is an answer too, so this
    /// never fails: see [`Decoded::payload`].
    ///
    /// The decoder does not know which release reads the row; where they differ this answers as the
    /// most accepting of them.
    pub fn decode<'s>(&'s mut self, stored: &'s str) -> Decoded<'s> {
        self.shared = None;
        let signed = Signed::split(stored);
        match signed {
            Some(signed) if is_regular(stored, &signed) => self.signed(signed),
            _ => self.irregular(stored, signed),
        }
    }

    /// The same, but `None` if the row says early on that it is a login of a user whom `others` has:
    /// then no more of it is read, whatever follows.
    ///
    /// What Django accepts is what the site's serializer made of a dictionary, which has each key
    /// once, so this is the login. Of a row that Django does not accept, which was damaged or forged,
    /// nothing is said: it is no login of anybody's. Who else a row holds ([`Auth::others`](super::Auth::others)) mostly comes
    /// behind the login, and is not seen either.
    pub fn decode_unless<'s>(
        &'s mut self,
        stored: &'s str,
        others: impl Fn(&str) -> bool,
    ) -> Option<Decoded<'s>> {
        self.shared = None;
        let signed = Signed::split(stored).filter(|signed| is_regular(stored, signed));
        let Some(signed) = signed else { return Some(self.decode(stored)) };
        let codec = self.codec;
        let is_enough =
            |beginning: &[u8]| json::first_user(beginning, &codec.login).is_some_and(&others);
        if signed.data.len() > LARGE && self.begins(&signed, is_enough) {
            return None;
        }
        let payload = self.signed_payload(&signed, is_enough).transpose()?;
        Some(Decoded::signed(codec, signed, payload))
    }

    /// A session that stands in no envelope, as a cache holds it: what the serializer wrote, maybe as zlib. Nothing signs it,
    /// so its signature is [`Signature::Unchecked`]. `is_cut` says that this is only the beginning of it.
    pub fn decode_bare<'s>(&'s mut self, value: &'s [u8], is_cut: bool) -> Decoded<'s> {
        self.shared = None;
        let codec = self.codec;
        let payload = if value.starts_with(&ZLIB_HEADER) {
            let Self { inflater, own: Buffers { out, .. }, .. } = self;
            let limit = codec.limits.payload.min(KEPT_BUFFER);
            let inflated = inflater.inflate(value, out, is_cut, limit, |_| false);
            inflated.map(|inflated| match inflated {
                Inflated::Whole(len) => Bytes::Whole(out.get(..len).unwrap_or_default()),
                Inflated::Beginning(len) => Bytes::Beginning(out.get(..len).unwrap_or_default()),
                Inflated::Enough => Bytes::Beginning(&[]),
            })
        } else if is_cut {
            Ok(Bytes::Beginning(value))
        } else {
            Ok(Bytes::within(value, codec.limits.payload))
        };
        let payload = payload.and_then(|bytes| Payload::new(bytes, codec, || true));
        let decoded = Decoded::new(codec, payload);
        // It is asked for nowhere else, so nothing else was stored there.
        let _ = decoded.signature.set(Signature::Unchecked);
        decoded
    }

    /// A row whose `session_data` was not read, since it is too large.
    pub fn too_large(&self) -> Decoded<'_> {
        self.unreadable("", DecodeError::TooLarge)
    }

    fn signed<'s>(&'s mut self, signed: Signed<'s>) -> Decoded<'s> {
        let codec = self.codec;
        let payload = self.signed_payload(&signed, |_| false);
        Decoded::signed(codec, signed, payload.and_then(|payload| payload.ok_or(DecodeError::Zlib)))
    }

    /// `None` if the beginning is enough.
    fn signed_payload<'s>(
        &'s mut self,
        signed: &Signed<'_>,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Payload<'s>>, DecodeError> {
        let codec = self.codec;
        let Self { inflater, own: Buffers { bytes, out }, shared, .. } = self;
        let limit = codec.limits.payload;
        let small = limit.min(KEPT_BUFFER);
        let in_own = if is_large(signed.data) {
            None
        } else {
            match unpack(signed, inflater, (bytes, out), codec, small, &is_enough)? {
                None => return Ok(None),
                Some(some) => Some(some).filter(|some| some.is_whole || small == limit),
            }
        };
        let (unpacked, buffer) = if let Some(unpacked) = in_own {
            (unpacked, if signed.compressed { out } else { bytes })
        } else {
            let large = &mut **shared.get_or_insert_with(|| codec.shared.buffer(limit));
            let buffers = if signed.compressed { (bytes, &mut *large) } else { (&mut *large, out) };
            match unpack(signed, inflater, buffers, codec, limit, &is_enough)? {
                None => return Ok(None),
                Some(unpacked) => (unpacked, large),
            }
        };
        let bytes = buffer.get(..unpacked.len).unwrap_or_default();
        let bytes = if unpacked.is_whole { Bytes::Whole(bytes) } else { Bytes::Beginning(bytes) };
        Payload::new(bytes, codec, || signed.seal.verify(&codec.keyring)).map(Some)
    }

    /// Whether the beginning is enough of a large row, of which no more is decoded.
    fn begins(&mut self, signed: &Signed<'_>, is_enough: impl Fn(&[u8]) -> bool) -> bool {
        let Some(beginning) = signed.data.get(..LARGE / 2) else { return false };
        let Buffers { bytes, out } = &mut self.own;
        base64::decode_url(beginning, bytes).is_ok()
            && if signed.compressed {
                self.inflater.begins(bytes, out, is_enough)
            } else {
                bytes.get(..BEGINNING).is_some_and(is_enough)
            }
    }

    /// A text that is not signed as Django 3.1 and later do it: one of the old layouts, or a signed
    /// one that somebody with the key made by hand. If a key verifies it as one of these, it is that.
    fn irregular<'s>(&'s mut self, stored: &'s str, signed: Option<Signed<'s>>) -> Decoded<'s> {
        let keyring = &self.codec.keyring;
        if let Some(signed) = signed.filter(|signed| signed.seal.verify(keyring)) {
            return self.signed(signed);
        }
        // The signature is computed over all of what was decoded.
        let decoded = self.codec.limits.allow(stored.len() / 3 * 2).and_then(|()| {
            if is_large(stored.as_bytes()) {
                let Codec { shared, limits, .. } = self.codec;
                self.shared.get_or_insert_with(|| shared.buffer(limits.payload));
            }
            base64::decode_standard(stored.as_bytes(), self.bytes())
        });
        if decoded == Err(DecodeError::TooLarge) {
            return self.unreadable(stored, DecodeError::TooLarge);
        }
        let layout = decoded.ok().and_then(|()| whole_layout(self.bytes(), keyring));
        if let Some(layout) = layout {
            return self.whole(stored, layout);
        }
        self.shared = None;
        if let Some(signed) = signed {
            return self.signed(signed);
        }
        self.unreadable(stored, decoded.err().unwrap_or(DecodeError::UnknownLayout))
    }

    /// What a row that is base64 as a whole is decoded into.
    fn bytes(&mut self) -> &mut Vec<u8> {
        self.shared.as_deref_mut().unwrap_or(&mut self.own.bytes)
    }

    fn whole<'s>(&'s self, stored: &'s str, layout: Layout) -> Decoded<'s> {
        let codec = self.codec;
        let bytes = self.shared.as_deref().unwrap_or(&self.own.bytes);
        let Some(Whole { seal, payload }) = Whole::split(layout, bytes) else {
            return self.unreadable(stored, DecodeError::UnknownLayout);
        };
        let payload = Bytes::within(payload, codec.limits.payload);
        let payload = Payload::new(payload, codec, || seal.verify(&codec.keyring));
        Decoded { seal: Some(seal), ..Decoded::new(codec, payload) }
    }

    fn unreadable<'s>(&'s self, stored: &'s str, why: DecodeError) -> Decoded<'s> {
        Decoded { outside: stored.as_bytes(), ..Decoded::new(self.codec, Err(why)) }
    }
}

/// What an envelope held: so many bytes of the payload as it was serialized.
struct Unpacked {
    len: usize,
    /// Whether these are all, and not only as many as are allowed.
    is_whole: bool,
}

/// Decodes into the first buffer, and inflates what is compressed into the second; `None` if the beginning is enough.
fn unpack(
    signed: &Signed<'_>,
    inflater: &mut Inflater,
    (bytes, out): (&mut Vec<u8>, &mut Vec<u8>),
    codec: &Codec,
    limit: usize,
    is_enough: &impl Fn(&[u8]) -> bool,
) -> Result<Option<Unpacked>, DecodeError> {
    // Where the text is too long, its beginning is all that is read.
    let beginning = signed.data.get(..limit / 3 * 4).filter(|_| is_long(signed.data, limit));
    let is_cut = beginning.is_some();
    let text = beginning.unwrap_or(signed.data);
    let told = |why| if is_cut && why == DecodeError::Base64 { DecodeError::TooLarge } else { why };
    if signed.compressed {
        let came = if is_large(text) {
            inflater.inflate_text(text, (bytes, out), is_cut, limit).map_err(told)?
        } else {
            base64::decode_url(text, bytes).map_err(told)?;
            inflater.inflate(bytes, out, is_cut, limit, is_enough)?
        };
        return Ok(match came {
            Inflated::Enough => None,
            Inflated::Whole(len) => Some(Unpacked { len, is_whole: true }),
            Inflated::Beginning(len) => Some(Unpacked { len, is_whole: false }),
        });
    }
    base64::decode_url(text, bytes).map_err(told)?;
    // Small ones that begin with something else are sooner read once, as a whole, than twice.
    let starts_so = json::behind_user_key(bytes, &codec.login).is_some();
    let small = Some(&**bytes).filter(|_| starts_so);
    if bytes.get(..BEGINNING).or(small).is_some_and(is_enough) {
        return Ok(None);
    }
    Ok(Some(Unpacked { len: bytes.len().min(limit), is_whole: !is_cut && bytes.len() <= limit }))
}

/// Which of the layouts that are base64 as a whole these bytes are in. If they could be in both, a
/// key decides.
fn whole_layout(bytes: &[u8], keyring: &Keyring) -> Option<Layout> {
    let legacy = Whole::split(Layout::Legacy, bytes);
    let md5 = Whole::split(Layout::Md5, bytes);
    let whole = match (legacy, md5) {
        (Some(_), Some(md5)) if md5.seal.verify(keyring) => Some(md5),
        _ => legacy.or(md5),
    };
    whole.map(|whole| whole.seal.layout())
}

/// Whether it is signed as Django 3.1 and later do it, and nothing else.
fn is_regular(stored: &str, signed: &Signed<'_>) -> bool {
    signed.is_regular && !may_be_whole(stored)
}

/// Whether a base64 text is for the buffers that decoders share.
fn is_large(text: &[u8]) -> bool {
    text.len() > KEPT_BUFFER
}

/// Whether a base64 text stands for more than so many bytes.
fn is_long(text: &[u8], limit: usize) -> bool {
    text.len() / 4 * 3 > limit
}
