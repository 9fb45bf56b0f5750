package mimecast_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"fluent-bit-mimecast/mimecast"
)

// Example reads a page of a log and a batch of SIEM logs.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case mimecast.Impersonation().Endpoint.Path:
			_, _ = io.WriteString(w, `{"meta":{"status":200},"data":[{"impersonationLogs":[{"id":"MTOKEN:1","eventTime":"2026-01-02T03:04:05+0000"}]}],"fail":[]}`)
		default:
			w.Header().Set("Content-Disposition", `attachment; filename="receipt_20260102030405000.log"`)
			w.Header().Set("mc-siem-token", "next")
			_, _ = io.WriteString(w, `{"type":"MTA","data":[{"acc":"C1A1","datetime":"2026-01-02T03:04:05+0000"}]}`)
		}
	}))
	defer server.Close()
	base, err := url.Parse(server.URL) // one of mimecast.Regions, in production
	if err != nil {
		log.Fatal(err)
	}

	client, err := mimecast.NewClient(mimecast.Options{
		BaseURL: base,
		Auth: mimecast.NewHMAC(func() (mimecast.Keys, error) {
			return mimecast.Keys{AppID: "app id", AppKey: "app key", AccessKey: "access key", SecretKey: "c2VjcmV0"}, nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	now := client.Now()
	page, err := client.Page(context.Background(), mimecast.Impersonation(), mimecast.PageRequest{From: now.Add(-time.Hour), To: now, Size: 500})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Events[0].ID, page.Next == "")

	batch, err := client.SIEMLogs(context.Background(), mimecast.SIEMRequest{Format: mimecast.JSON})
	if err != nil {
		log.Fatal(err)
	}
	if batch != nil && batch.Body != nil { // else there is nothing new
		defer batch.Body.Close()
		_, err := io.Copy(io.Discard, batch.Body)
		fmt.Println(batch.FileName, batch.NextToken, err)
	}

	// Output:
	// MTOKEN:1 true
	// receipt_20260102030405000.log next <nil>
}
