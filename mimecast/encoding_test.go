package mimecast

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// gzipped returns texts as a gzip member each.
func gzipped(texts ...string) string {
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		w.Name = "a name" // as a file has
		_, _ = io.WriteString(w, text)
		_ = w.Close()
	}
	return b.String()
}

// encoded are the header fields of a batch in an encoding.
func encoded(encoding string, header ...string) []string {
	return append([]string{"Content-Encoding", encoding, "Mc-Siem-Token", "next", "Content-Type", "application/octet-stream"}, header...)
}

const zipHead = "PK\x03\x04 and the rest of a batch"

func TestAsksForNoEncoding(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.WriteString(w, nothingNew)
	}))
	defer server.Close()
	base, _ := url.Parse(server.URL)
	c, err := NewClient(Options{BaseURL: base, Timeout: 5 * time.Second, Auth: testAuth()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := siem(c, ""); err != nil || len(got.Values("Accept-Encoding")) != 1 || got.Get("Accept-Encoding") != "identity" {
		t.Errorf("%v, %q", err, got.Values("Accept-Encoding"))
	}
}

func TestAnswersInGzip(t *testing.T) {
	for _, encoding := range []string{"gzip", "GZip", " gzip\t", "x-gzip", "X-GZIP", "identity, gzip", "gzip,", ",gzip"} {
		c := newTestClient(t, answering(200, gzipped(nothingNew), "Content-Encoding", encoding))
		if _, batch, err := siem(c, "old"); batch != nil || err != nil {
			t.Errorf("%q: nothing new: %v, %v", encoding, batch, err)
		}
		c = newTestClient(t, answering(200, gzipped(zipHead), encoded(encoding)...))
		if content, _, err := siem(c, "old"); content != zipHead || err != nil {
			t.Errorf("%q: a batch: %q, %v", encoding, content, err)
		}
	}
	long := zipHead + strings.Repeat("x", 1<<20)
	c := newTestClient(t, answering(200, gzipped(long[:100], "", long[100:]), encoded("gzip")...))
	if content, _, err := siem(c, "old"); content != long || err != nil {
		t.Errorf("members: %d bytes, %v", len(content), err)
	}

	page := `{"meta":{"pagination":{"next":"n"}},"data":[{"impersonationLogs":[{"id":"1","eventTime":"2026-01-02T03:04:05+0000"}]}],"fail":[]}`
	c = newTestClient(t, answering(200, gzipped(page), "Content-Encoding", "gzip"))
	got, err := c.Page(context.Background(), Impersonation(), PageRequest{})
	if err != nil || len(got.Events) != 1 || got.Next != "n" {
		t.Errorf("a page: %+v, %v", got, err)
	}

	// A refusal says what it says without gzip, and so do its headers.
	fail := `{"fail":[{"errors":[{"code":"err_x","message":"why","retryable":false}]}]}`
	for _, status := range []int{200, 400, 401, 403, 429, 500, 503} {
		header := []string{"X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", "4000", "Content-Encoding", "gzip"}
		c := newTestClient(t, answering(status, gzipped(fail), header...))
		_, _, err := siem(c, "old")
		var refusal *APIError
		if !errors.As(err, &refusal) || refusal.Status != status || refusal.Code != "err_x" || refusal.Message != "why" || refusal.Wait != 4*time.Second {
			t.Errorf("%d: %+v, %v", status, refusal, err)
		}
		if wait := time.Until(c.limits[""].notBefore); wait < 3*time.Second || wait > 4*time.Second {
			t.Errorf("%d: the rate limit is not noticed: %v", status, wait)
		}
	}
}

func TestAnswersThatAreNotGzip(t *testing.T) {
	for _, body := range []string{zipHead, "PK\x05\x06" + strings.Repeat("\x00", 18), "datetime=x|a=b\n", "d"} {
		c := newTestClient(t, answering(200, body, encoded("gzip", "Content-Disposition", "attachment; filename=x.log")...))
		if content, _, err := siem(c, "old"); content != body || err != nil {
			t.Errorf("%q: got %q, %v", body, content, err)
		}
	}
	c := newTestClient(t, answering(200, nothingNew, "Content-Encoding", "gzip"))
	if _, batch, err := siem(c, "old"); batch != nil || err != nil {
		t.Errorf("nothing new: %v, %v", batch, err)
	}
	c = newTestClient(t, answering(401, `{"fail":[{"code":"err_x"}]}`, "Content-Encoding", "gzip"))
	var refusal *APIError
	if _, _, err := siem(c, "old"); !errors.As(err, &refusal) || refusal.Code != "err_x" {
		t.Errorf("a refusal: %v", err)
	}
	for _, encoding := range []string{"", " ", "identity", "Identity, identity", "UTF-8", "none"} {
		c := newTestClient(t, answering(200, zipHead, encoded(encoding)...))
		if content, _, err := siem(c, "old"); content != zipHead || err != nil {
			t.Errorf("%q: got %q, %v", encoding, content, err)
		}
	}
}

func TestOtherEncodings(t *testing.T) {
	for encoding, text := range map[string]string{
		"br": `"br"`, "Deflate": `"deflate"`, "zstd": `"zstd"`, "compress": `"compress"`,
		"gzip, gzip": `"gzip, gzip"`, "gzip,br": `"gzip, br"`,
		"x\r\ny\x1b[31m": `"x y`, "app-key-secret": "does a proxy compress?",
		strings.Repeat("long", 1000): "longlong",
	} {
		c := newTestClient(t, answering(200, zipHead, encoded(encoding)...))
		_, batch, err := siem(c, "old")
		var answer *ResponseError
		if batch != nil || !errors.As(err, &answer) || !strings.Contains(err.Error(), text) || len(err.Error()) > 300 {
			t.Errorf("%.40q: %v, %v", encoding, batch, err)
		} else if strings.ContainsAny(err.Error(), "\r\n\x1b") || strings.Contains(err.Error(), "app-key-secret") {
			t.Errorf("%.40q: not clean: %v", encoding, err)
		}
		// A status tells more than a body could.
		c = newTestClient(t, answering(429, "\x1b\x00", "Content-Encoding", encoding, "Retry-After", "7"))
		var refusal *APIError
		if _, _, err := siem(c, "old"); !errors.As(err, &refusal) || refusal.Status != 429 || refusal.Wait != 7*time.Second {
			t.Errorf("%.40q: %v", encoding, err)
		}
	}
}

// TestGzipCutShort cuts an answer of two members at each byte but between them.
func TestGzipCutShort(t *testing.T) {
	first := gzipped(zipHead)
	whole := first + gzipped(strings.Repeat("y", 100))
	for at := range len(whole) {
		c := newTestClient(t, answering(200, whole[:at], encoded("gzip")...))
		content, _, err := siem(c, "old")
		switch {
		case at == len(first) && (content != zipHead || err != nil):
			t.Errorf("between members: %q, %v", content, err)
		case at != len(first) && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("cut at %d of %d: %q, %v", at, len(whole), content, err)
		}
	}
	for name, body := range map[string]string{
		"garbage at the end": first + "garbage garbage",
		"a wrong checksum":   first[:len(first)-5] + "x" + first[len(first)-4:],
		"a damaged header":   "\x1f\x8b\x07" + first[3:],
	} {
		c := newTestClient(t, answering(200, body, encoded("gzip")...))
		if content, _, err := siem(c, "old"); err == nil {
			t.Errorf("%s: got %q", name, content)
		}
	}
}

// TestGzipIsWholeAndItsAnswerIsNot ends the connection after the end of gzip.
func TestGzipIsWholeAndItsAnswerIsNot(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i, header := 0, encoded("gzip"); i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			body := gzipped(zipHead)
			if !chunked {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
			}
			_, _ = io.WriteString(w, body)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		c := newTestClient(t, http.DefaultTransport)
		c.base, _ = url.Parse(server.URL)
		if content, _, err := siem(c, "old"); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("chunked %v: got %q, %v", chunked, content, err)
		}
		server.Close()
	}
}

// bomb is gzip of so many zeros after a text.
func bomb(text string, zeros int) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = io.WriteString(w, text)
	_, _ = io.CopyN(w, zero{}, int64(zeros))
	_ = w.Close()
	return b.String()
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestGzipBombs(t *testing.T) {
	c := newTestClient(t, answering(200, bomb(`{"meta":{`, maxEnvelope), "Content-Encoding", "gzip"))
	var answer *ResponseError
	if _, _, err := siem(c, "old"); !errors.As(err, &answer) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
	c = newTestClient(t, answering(503, bomb(`{"meta":{`, maxEnvelope), "Content-Encoding", "gzip"))
	var refusal *APIError
	if _, _, err := siem(c, "old"); !errors.As(err, &refusal) || refusal.Status != 503 {
		t.Errorf("got %v", err)
	}
	// A batch comes as it is read.
	c = newTestClient(t, answering(200, bomb(zipHead, 64<<20), encoded("gzip")...))
	batch, err := c.SIEMLogs(context.Background(), SIEMRequest{Token: "old"})
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Body.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.Copy(io.Discard, batch.Body)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; n != int64(len(zipHead))+64<<20 || err != nil || allocated > 1<<20 {
		t.Errorf("%d bytes, %v, %d bytes allocated", n, err, allocated)
	}
}

// TestTimeoutsInGzip has answers that stop or trickle within gzip.
func TestTimeoutsInGzip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := func(start string, every, atLeast, atMost time.Duration, text string) {
			t.Helper()
			c := newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
				resp, _ := answering(200, "", encoded("gzip")...)(r)
				resp.Body = struct {
					io.Reader
					io.Closer
				}{io.MultiReader(strings.NewReader(start), &slowBody{r.Context(), every}), io.NopCloser(nil)}
				return resp, nil
			}))
			began := time.Now()
			_, _, err := siem(c, "")
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), text) || took < atLeast || took > atMost {
				t.Errorf("got %v after %v", err, took)
			}
		}
		body := gzipped(zipHead)
		check("", time.Hour, 10*time.Second, 11*time.Second, "nothing came for 10s")
		check(body[:1], time.Hour, 10*time.Second, 11*time.Second, "nothing came for 10s")
		check(body[:len(body)-8], time.Hour, 10*time.Second, 11*time.Second, "nothing came for 10s")
		check(body, time.Hour, 10*time.Second, 11*time.Second, "nothing came for 10s")
		// A name in the header of a member, of more bytes than come in time.
		check(body+"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00", 9*time.Second, 300*time.Second, 310*time.Second, "longer than 5m0s")
	})
}
