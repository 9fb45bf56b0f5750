package check

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// served starts a simulator with something in each log.
func served(t *testing.T, cfg simulator.Config) *harness.Service {
	t.Helper()
	service, err := harness.StartService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	for _, kind := range []string{"receipt", "entities"} {
		if err := service.AddFiles(kind, 1, 3); err != nil {
			t.Fatal(err)
		}
	}
	service.AddBatch(3)
	return service
}

// block checks the configuration of a block with more options, and asks the service.
func block(t *testing.T, input harness.Input, env []string, o NetworkOptions) *Report {
	t.Helper()
	s := newScene(t)
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		s.env[name] = value
	}
	var options strings.Builder
	for _, pair := range input {
		fmt.Fprintf(&options, "      %s: %q\n", pair[0], pair[1])
	}
	before, after, _ := strings.Cut(good, "      client_id: ${MIMECAST_CLIENT_ID}\n      client_secret: ${MIMECAST_CLIENT_SECRET}\n")
	s.write("fluent-bit.yaml", before+options.String()+after)
	report, blocks := Files(s.path("fluent-bit.yaml"), func(name string) string { return s.env[name] })
	if got := troubles(report); got != nil {
		t.Fatal(got)
	}
	files := len(report.Results)
	report.Network(t.Context(), blocks, o)
	noSecret(t, report)
	report.Results = report.Results[files:]
	return report
}

// lines returns the status and the text of all results.
func lines(r *Report) []string {
	var list []string
	for _, result := range r.Results {
		list = append(list, string(result.Status)+" "+result.What+"; "+result.Do)
	}
	return list
}

// begin compares lines with how they should begin.
func begin(t *testing.T, r *Report, want ...string) {
	t.Helper()
	got := lines(r)
	if len(got) != len(want) {
		t.Errorf("want %d lines:\n%s", len(want), strings.Join(got, "\n"))
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

const (
	reached = "ok 127.0.0.1:"
	plain   = "warning the connection is not encrypted"
	clockOK = "ok this machine's clock agrees"
	login   = "ok the credentials are accepted"
)

func TestGood(t *testing.T) {
	s := served(t, simulator.Config{})
	begin(t, block(t, s.Input2("logs", "siem,siem_ci,audit,threat_intel"), s.Env(), NetworkOptions{}),
		reached, plain, clockOK, login,
		"ok the log siem receipt may be read", "ok the file store can be reached",
		"ok the log siem_ci entities may be read", "ok the file store can be reached",
		"ok the log audit may be read", "ok the log threat_intel malware_customer may be read", "ok the log threat_intel malware_grid may be read")
	if asked := s.Requests().At(simulator.PathEvents); asked != 1 {
		t.Errorf("%d calls for links", asked)
	}
}

func TestGoodVersion1(t *testing.T) {
	s := served(t, simulator.Config{})
	begin(t, block(t, s.Input("logs", "siem,audit"), s.Env(), NetworkOptions{}),
		reached, plain, clockOK, login, "ok the log siem may be read", "ok the log audit may be read")
}

func TestAllTypes(t *testing.T) {
	s := served(t, simulator.Config{})
	var said []string
	r := block(t, s.Input2("logs", "siem"), s.Env(), NetworkOptions{AllTypes: true, Say: func(text string) { said = append(said, text) }})
	if n := len(slices.DeleteFunc(lines(r), func(l string) bool { return !strings.HasPrefix(l, "ok the log siem ") })); n != 10 {
		t.Errorf("%d types:\n%s", n, strings.Join(lines(r), "\n"))
	}
	if len(said) != 1 || !strings.Contains(said[0], "10 types of siem: each is one of the 50 calls") {
		t.Errorf("said %q", said)
	}
}

// TestQuotaUsedUp asks for no further type: it would wait for the quota.
func TestQuotaUsedUp(t *testing.T) {
	s := served(t, simulator.Config{EventsLimit: 1})
	begin(t, block(t, s.Input2("logs", "siem,audit"), s.Env(), NetworkOptions{AllTypes: true}),
		reached, plain, clockOK, login, "ok the log siem receipt", "warning the log siem process: not known: the service's rate limit", "ok the log audit")
}

func TestWrongSecret(t *testing.T) {
	s := served(t, simulator.Config{})
	begin(t, block(t, s.Input2("logs", "siem,audit"), []string{"MIMECAST_CLIENT_SECRET=" + secret}, NetworkOptions{}),
		reached, plain, clockOK, "failed credentials: /oauth/token: the service refused the request: status 401", "skipped permissions")
	r := block(t, s.Input2("logs", "siem"), []string{"MIMECAST_CLIENT_SECRET=" + secret}, NetworkOptions{})
	if do := r.Results[3].Do; !strings.Contains(do, "check client_id and client_secret") || !strings.Contains(do, "after a minute") {
		t.Errorf("to do: %q", do)
	}
	env := s.Env()
	env[0] = "MIMECAST_APP_KEY=" + secret
	env[2] = "MIMECAST_SECRET_KEY=c2VjcmV0"
	begin(t, block(t, s.Input("logs", "siem,audit"), env, NetworkOptions{}),
		reached, plain, clockOK, "failed credentials: /api/audit/get-siem-logs: the service refused", "skipped further logs")
}

func TestForbidden(t *testing.T) {
	s := served(t, simulator.Config{})
	s.Forbid("audit", "receipt")
	r := block(t, s.Input2("logs", "audit,siem,url"), s.Env(), NetworkOptions{})
	begin(t, r, reached, plain, clockOK, login,
		"failed the log audit: /api/audit/get-audit-events: the service refused", "failed the log siem receipt", "skipped the file store", "ok the log url")
	if do := r.Results[4].Do; !strings.Contains(do, "the API application needs the product Audit Events") {
		t.Errorf("to do: %q", do)
	}
	r = block(t, s.Input2("logs", "all"), s.Env(), NetworkOptions{})
	if r.Count(Failed) > 0 || r.Count(Warning) != 3 {
		t.Errorf("all: %s", strings.Join(lines(r), "\n"))
	}
}

func TestClockOff(t *testing.T) {
	s := served(t, simulator.Config{DateOffset: 10 * time.Minute})
	r := block(t, s.Input2("logs", "audit"), s.Env(), NetworkOptions{})
	begin(t, r, reached, plain, "warning this machine's clock is 10m0s behind the service's; set the clock", login, "ok the log audit")
	begin(t, block(t, s.Input("logs", "audit"), s.Env(), NetworkOptions{}), reached, plain, "warning this machine's clock", login, "ok the log audit")
}

// closed is an address at which nothing listens: no test is given a port below 1024.
const closed = "127.0.0.1:1"

func TestUnreachable(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.invalid": "failed the name api.invalid does not resolve",
		"http://" + closed:    "failed no connection to " + closed,
	} {
		input := harness.Input{{"base_url", base}, {"client_id", "id"}, {"client_secret", "${MIMECAST_CLIENT_SECRET}"}}
		begin(t, block(t, input, nil, NetworkOptions{}), want, "skipped credentials and permissions")
	}
}

// TestCertificate tells who signed the certificate of a service, and what to do when
// nobody trusts that.
func TestCertificate(t *testing.T) {
	s := served(t, simulator.Config{})
	encrypted := httptest.NewUnstartedServer(s.Server)
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that are to fail
	encrypted.StartTLS()
	defer encrypted.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encrypted.Certificate().Raw})
	if err := os.WriteFile(authority, content, 0o600); err != nil {
		t.Fatal(err)
	}
	input := func(more ...string) harness.Input {
		in := s.Input2("logs", "audit")
		in[0][1] = encrypted.URL
		for i := 0; i < len(more); i += 2 {
			in = append(in, [2]string{more[i], more[i+1]})
		}
		return in
	}
	begin(t, block(t, input("tls_ca_file", authority), s.Env(), NetworkOptions{}),
		reached, "ok TLS 1.3, the certificate is signed by O=Acme Co, until ", clockOK, login, "ok the log audit")
	begin(t, block(t, input("tls_verify", "off"), s.Env(), NetworkOptions{}),
		reached, "warning TLS 1.3, the certificate is signed by O=Acme Co", clockOK, login, "ok the log audit")
	r := block(t, input(), s.Env(), NetworkOptions{})
	begin(t, r, "failed no connection to 127.0.0.1:", "skipped credentials and permissions")
	if do := r.Results[0].Do; !strings.Contains(do, "name the authority's PEM file in tls_ca_file") {
		t.Errorf("to do: %q", do)
	}
}

// TestProxyDown names the proxy, and not its password.
func TestProxyDown(t *testing.T) {
	input := harness.Input{
		{"base_url", "https://api.example.com"},
		{"client_id", "id"},
		{"client_secret", "${MIMECAST_CLIENT_SECRET}"},
		{"proxy_url", "http://user:${MIMECAST_CLIENT_SECRET}@" + closed},
	}
	r := block(t, input, nil, NetworkOptions{})
	begin(t, r, "failed no connection to api.example.com through the proxy "+closed, "skipped credentials and permissions")
	if do := r.Results[0].Do; !strings.Contains(do, "check proxy_url") {
		t.Errorf("to do: %q", do)
	}
}
