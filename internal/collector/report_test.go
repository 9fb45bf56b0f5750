package collector

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/hint"
	"fluent-bit-mimecast/mimecast"
)

func testKeys() (mimecast.Keys, error) {
	return mimecast.Keys{AppID: "app-id", AppKey: "app-key", AccessKey: "access-key", SecretKey: "c2VjcmV0LWtleQ=="}, nil
}

func TestReportOfARateLimitThatIsUsedUp(t *testing.T) {
	t.Parallel()
	check := func(reset, want string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ratelimit-Remaining", "0")
			w.Header().Set("X-Ratelimit-Reset", reset)
		}))
		defer server.Close()
		base, _ := url.Parse(server.URL)
		var log logBuffer
		client, err := newClient(config.Config{BaseURL: base, Auth: mimecast.NewHMAC(testKeys), HTTPTimeout: time.Minute, TLSVerify: true},
			slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, _ = client.SIEMLogs(context.Background(), mimecast.SIEMRequest{})
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		for range 2 { // each says so, if at all, before it waits
			_, _ = client.SIEMLogs(ctx, mimecast.SIEMRequest{})
		}
		if lines := log.String(); strings.Count(lines, "\n") > 1 || !strings.Contains(lines, want) || (want == "") != (lines == "") {
			t.Errorf("reset %s: got %q, want %q once", reset, lines, want)
		}
	}
	check("30000", "")
	check("90000", `level=WARN msg="waiting for the service's rate limit" wait=1m30s what_to_do=`)
	check("86400000", "wait=15m0s")
}

// secured returns the address of a server with a certificate for 127.0.0.1, and
// the certificate in PEM form.
func secured(t *testing.T, notAfter time.Time) (address string, ca []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: notAfter.Add(-24 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// saying returns the address of a server that says something to whoever asks.
func saying(t *testing.T, something string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, something)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn) // closing before would reset it
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestReportNamesTheOptionToCheck(t *testing.T) {
	t.Parallel()
	const user, password = "proxy-user", "proxy-password"
	check := func(cfg config.Config, base, proxy, want string) {
		t.Helper()
		cfg.BaseURL, _ = url.Parse(base)
		if proxy != "" {
			cfg.ProxyURL, _ = url.Parse(proxy)
			cfg.ProxyURL.User = url.UserPassword(user, password)
		}
		cfg.Auth, cfg.TLSVerify = mimecast.NewHMAC(testKeys), true
		if cfg.HTTPTimeout == 0 {
			cfg.HTTPTimeout = 10 * time.Second
		}
		var b bytes.Buffer
		log := slog.New(slog.NewTextHandler(&b, nil))
		client, err := newClient(cfg, log)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = client.SIEMLogs(context.Background(), mimecast.SIEMRequest{})
		if err == nil {
			t.Fatalf("%s by way of %q: no error", base, proxy)
		}
		newReport(log, time.Now).fails(err, time.Second)
		if got := hint.WhatToDo(err); !strings.Contains(got, want) || (want == "") != (got == "") || !strings.Contains(b.String(), want) {
			t.Errorf("%s by way of %q: %v: got %q, want %q; logged %s", base, proxy, err, got, want, b.String())
		}
		if strings.Contains(err.Error()+b.String(), password) {
			t.Errorf("%s by way of %q: the password is in %v, %s", base, proxy, err, b.String())
		}
	}
	const service, nowhere = "https://eu-api.mimecast.com", "127.0.0.1:1"
	valid, ca := secured(t, time.Now().Add(time.Hour))
	_, port, _ := net.SplitHostPort(valid)
	expired, expiredCA := secured(t, time.Now().Add(-time.Hour))
	check(config.Config{}, "https://"+valid, "", "tls_ca_file")
	check(config.Config{CAPEM: ca}, "https://localhost:"+port, "", "the service's certificate is for another host name: check base_url or region")
	check(config.Config{CAPEM: expiredCA}, "https://"+expired, "", "the service's certificate has expired: check this machine's clock")
	check(config.Config{}, service, "https://"+valid, "tls_ca_file")
	check(config.Config{CAPEM: ca}, service, "https://localhost:"+port, "the proxy's certificate is for another host name: check proxy_url")
	check(config.Config{CAPEM: expiredCA}, service, "https://"+expired, "the proxy's certificate has expired")

	check(config.Config{}, service, "http://"+nowhere, "check proxy_url")
	check(config.Config{}, service, "socks5://"+nowhere, "check proxy_url")
	check(config.Config{}, service, "http://proxy..invalid:3128", "the proxy's name does not resolve: check proxy_url")
	check(config.Config{}, service, "http://"+saying(t, "HTTP/1.1 407 not "+password+"\r\n\r\n"), "proxy_url, with the user name and password")
	check(config.Config{}, "http://"+nowhere, "http://"+saying(t, "HTTP/1.1 407 not "+password+"\r\n\r\n"), "proxy_url, with the user name and password")
	check(config.Config{}, service, "http://"+saying(t, "HTTP/1.1 403 not "+password+"\r\n\r\n"), "the proxy refuses to connect to the service")
	check(config.Config{}, service, "socks5://"+saying(t, "\x05\xff"), "check proxy_url")

	check(config.Config{}, "https://api..invalid", "", "the service's name does not resolve: check base_url or region")
	check(config.Config{}, "http://"+nowhere, "", "")
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	check(config.Config{HTTPTimeout: 50 * time.Millisecond}, silent.URL, "", "raise http_timeout")
}

func TestReportTellsAProxyFromTheNetwork(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	network, proxy := kindOf(refused), kindOf(&net.OpError{Op: "proxyconnect", Err: refused})
	if network == proxy || kindOf(&mimecast.ProxyError{Status: 407}) != proxy {
		t.Errorf("got %q and %q", network, proxy)
	}
}
