package record

import (
	"bytes"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// TestANoticeHasEachFieldOnce, whatever the field of the account is called.
func TestANoticeHasEachFieldOnce(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"customer": `{"log_source":"mimecast","log_type":"notice","message":"m","customer":"acme"}`,
		"message":  `{"log_source":"mimecast","log_type":"notice","message":"m"}`,
		"from":     `{"log_source":"mimecast","log_type":"notice","message":"m","from":"acme"}`,
	} {
		buf := AppendNotice(nil, Origin{Collected: time.Unix(1, 0), AccountKey: key, Account: "acme"}, "message", "m", "from", "")
		var text bytes.Buffer
		if _, err := msgp.UnmarshalAsJSON(&text, buf[13:]); err != nil || text.String() != want {
			t.Errorf("%s: %s, %v", key, text.String(), err)
		}
	}
}
