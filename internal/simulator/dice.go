package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
)

// The streams of chance, so that no two uses of one seed see the same numbers. A new one
// goes to the end: its place decides what numbers it sees.
const (
	streamCredentials uint64 = iota + 1
	streamTokens
	streamMail
	streamRecord
	streamEvent
	streamNoise
	streamEventMail
	streamEventRecord
	streamRequestID
	streamURL
	streamAttachment
	streamDLP
	streamAudit
	streamArchiveSearch
	streamArchiveView
	streamRelease
	streamRejection
	streamThreat
	streamBundle
)

// dice is a deterministic source of values: the same seed and parts always give
// the same rolls. Not safe for concurrent use; cheap to make anew.
type dice struct {
	source rand.PCG
}

func newDice(seed uint64, parts ...uint64) dice {
	low, high := scramble(seed), scramble(^seed)
	for _, part := range parts {
		low = scramble(low ^ part)
		high = scramble(high + part)
	}
	return dice{source: *rand.NewPCG(high, low)}
}

// scramble is the finalizer of SplitMix64: neighbours in, strangers out.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below returns a number in [0, n); n must be positive.
func (d *dice) below(n int) int {
	high, _ := bits.Mul64(d.source.Uint64(), uint64(n))
	return int(high)
}

// oneIn is true once in n rolls.
func (d *dice) oneIn(n int) bool { return d.below(n) == 0 }

// pick returns one of the choices; there must be one.
func (d *dice) pick(choices []string) string { return choices[d.below(len(choices))] }

// share returns a number in [0, 1).
func (d *dice) share() float64 { return float64(d.source.Uint64()>>11) / (1 << 53) }

func (d *dice) bytes(n int) []byte {
	out := make([]byte, 0, n+8)
	for len(out) < n {
		out = binary.LittleEndian.AppendUint64(out, d.source.Uint64())
	}
	return out[:n]
}

// hex returns n bytes of chance as 2n hexadecimal digits.
func (d *dice) hex(n int) string { return hex.EncodeToString(d.bytes(n)) }

// base64 returns n bytes of chance in the URL alphabet without padding.
func (d *dice) base64(n int) string { return base64.RawURLEncoding.EncodeToString(d.bytes(n)) }

func (d *dice) uuid() string {
	b := d.bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	digits := hex.EncodeToString(b)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
