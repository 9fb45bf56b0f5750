package simulator

import (
	"net/http"
	"time"
)

// dateLayout is the form of x-mc-date; the zone is these letters, always.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 UTC"

// maxBody bounds what is read of a request.
const maxBody = 1 << 20

// caller is what an endpoint is told of an admitted request, besides its body.
type caller struct {
	id    string // API 1.0
	by    entitlement
	quota quota // API 2.0
}

// admit returns the refusal of a request whose headers do not entitle it to an
// answer. The id of an admitted request is used up.
func (s *Server) admit(r *http.Request) (refusal answer, ok bool) {
	for _, name := range []string{"Authorization", "x-mc-app-id", "x-mc-date", "x-mc-req-id"} {
		if r.Header.Get(name) == "" {
			return s.refuse(http.StatusUnauthorized, failure{Code: codeHeader, Message: "The header " + name + " is missing"}), false
		}
	}
	appID, date, id := r.Header.Get("x-mc-app-id"), r.Header.Get("x-mc-date"), r.Header.Get("x-mc-req-id")
	if appID != s.keys.get().AppID {
		return s.refuse(http.StatusOK, failure{Code: codeAppID, Message: "App ID is invalid: " + appID}), false
	}
	if !isUUID(id) {
		return s.refuse(http.StatusBadRequest, failure{Code: codeRequestID, Message: "x-mc-req-id is not a UUID"}), false
	}
	now := s.clock()
	if !timely(date, now) {
		return s.refuse(http.StatusUnauthorized, failure{Code: codeDate, Message: "x-mc-date is malformed or too far from " + now.UTC().Format(dateLayout)}), false
	}
	valid, expired := s.keys.check(r.Header.Get("Authorization"), date, id, r.URL.Path)
	if !valid {
		return s.refuseSignature(), false
	}
	if expired {
		return s.refuseExpired(), false
	}
	if !s.seen.first(id, now) {
		return s.refuse(http.StatusConflict, failure{Code: codeReplay, Message: "x-mc-req-id was used before"}), false
	}
	return answer{}, true
}

// timely reports whether date is in the one form allowed and close enough to now.
func timely(date string, now time.Time) bool {
	at, err := time.Parse(dateLayout, date)
	if err != nil || at.Format(dateLayout) != date {
		return false
	}
	return now.Sub(at).Abs() <= dateTolerance
}

// isUUID reports whether id has the form of a UUID.
func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i, c := range []byte(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash && c != '-' || !dash && !digit {
			return false
		}
	}
	return true
}
