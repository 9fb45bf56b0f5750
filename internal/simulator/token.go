package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// sealer makes opaque tokens and knows its own again, without remembering them.
// Immutable.
type sealer struct {
	key []byte
}

const sealSize = 20

func newSealer(seed uint64) sealer {
	d := newDice(seed, streamTokens)
	return sealer{key: d.bytes(32)}
}

// seal returns a token that carries payload. Tokens of one use are not accepted
// for another.
func (s sealer) seal(use string, payload []byte) string {
	return base64.StdEncoding.EncodeToString(append(s.mac(use, payload), payload...))
}

// open returns the payload of a token made by seal for the same use.
func (s sealer) open(use, token string) (payload []byte, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) < sealSize {
		return nil, false
	}
	payload = raw[sealSize:]
	return payload, hmac.Equal(raw[:sealSize], s.mac(use, payload))
}

func (s sealer) mac(use string, payload []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(use + "\x00"))
	mac.Write(payload)
	return mac.Sum(nil)[:sealSize]
}

const useSIEM = "siem"

// position is where a SIEM token stands: before a file of a batch. It holds for
// every mode: an archive has the batch's files from there on, a single file is
// the one there. The position behind the last batch is file 0 of the next one.
type position struct {
	batch, file int
	salt        uint32 // makes tokens of one position differ
}

func (s sealer) sealPosition(p position) string {
	payload := binary.BigEndian.AppendUint64(nil, uint64(p.batch))
	payload = binary.BigEndian.AppendUint32(payload, uint32(p.file))
	return s.seal(useSIEM, binary.BigEndian.AppendUint32(payload, p.salt))
}

func (s sealer) openPosition(token string) (position, bool) {
	payload, ok := s.open(useSIEM, token)
	if !ok || len(payload) != 16 {
		return position{}, false
	}
	return position{
		batch: int(binary.BigEndian.Uint64(payload)),
		file:  int(binary.BigEndian.Uint32(payload[8:])),
		salt:  binary.BigEndian.Uint32(payload[12:]),
	}, true
}
