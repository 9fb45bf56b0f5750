package simulator

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// PathLinks is what the paths of all links begin with.
const PathLinks = "/links/"

// object names what is behind a link.
type object struct {
	file    int    // of that number
	subtype string // only its records of that subtype, "" for all
	empty   uint32 // if not 0, a file too many without content
}

// path returns the path of the link to an object, which never changes.
func (o object) path(of *eventFile) string {
	name := fmt.Sprintf("%09d", o.file)
	if o.subtype != "" {
		name += "." + o.subtype
	}
	if o.empty > 0 {
		name += fmt.Sprintf("-%d", o.empty)
	}
	return PathLinks + path.Base(of.path) + "/" + account + "/" + logTypeOfEvent(of.kind) + "/" + of.at.UTC().Format(time.DateOnly) + "/" + name + ".json.gz"
}

// objectName matches the end of a link's path.
var objectName = regexp.MustCompile(`/(\d{9})(?:\.([^/-]+))?(?:-(\d+))?\.json\.gz$`)

// parseObjectName returns what the link of that path may lead to; the caller
// compares its path.
func parseObjectName(path string) (o object, ok bool) {
	parts := objectName.FindStringSubmatch(path)
	if parts == nil {
		return object{}, false
	}
	o.subtype = parts[2]
	file, err := strconv.Atoi(parts[1])
	if err != nil {
		return object{}, false
	}
	o.file = file
	if parts[3] != "" {
		n, err := strconv.ParseUint(parts[3], 10, 32)
		if err != nil {
			return object{}, false
		}
		o.empty = uint32(n)
	}
	return o, true
}

// signer signs links as the store of a cloud does. Safe for concurrent use.
type signer struct {
	tokens sealer
	life   time.Duration
	signed atomic.Uint64 // makes signatures of one link differ
}

const (
	linkTime  = "20060102T150405Z"
	linkProof = "X-Amz-Signature"
)

// sign returns the query of a link to path that is good from now on, and when it
// ends.
func (s *signer) sign(path string, now time.Time) (query string, expiry time.Time) {
	now = now.UTC().Truncate(time.Second)
	values := url.Values{
		"X-Amz-Algorithm":      {"AWS4-HMAC-SHA256"},
		"X-Amz-Date":           {now.Format(linkTime)},
		"X-Amz-Expires":        {strconv.Itoa(int(s.life / time.Second))},
		"X-Amz-Security-Token": {strconv.FormatUint(s.signed.Add(1), 10)},
		"X-Amz-SignedHeaders":  {"host"},
	}
	values.Set(linkProof, s.proof(path, values))
	return values.Encode(), now.Add(s.life)
}

// check reports whether the query is one that sign returned for the path, and
// whether the link has ended.
func (s *signer) check(path string, query url.Values, now time.Time) (signed, ended bool) {
	given := query.Get(linkProof)
	query.Del(linkProof)
	if given != s.proof(path, query) {
		return false, false
	}
	at, err := time.Parse(linkTime, query.Get("X-Amz-Date"))
	return err == nil, !now.Before(at.Add(s.life))
}

func (s *signer) proof(path string, values url.Values) string {
	return hex.EncodeToString(s.tokens.mac("link", []byte(path+"?"+values.Encode())))
}
