// A server of Go's net/http with a listener for each setting in the JSON file that it is given.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

type setting struct {
	Port                              int
	Version                           uint16
	Required, HTTP2                   bool
	Certificate, Key, ClientAuthority string
}

func main() {
	content, err := os.ReadFile(os.Args[1])
	check(err)
	var settings []setting
	check(json.Unmarshal(content, &settings))
	http.HandleFunc("/", who)
	http.HandleFunc("/sum", sum)
	for _, it := range settings {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", it.Port))
		check(err)
		go serve(it, listener)
	}
	select {}
}

func serve(it setting, listener net.Listener) {
	pem, err := os.ReadFile(it.ClientAuthority)
	check(err)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
	config := &tls.Config{
		MinVersion: it.Version,
		MaxVersion: it.Version,
		ClientCAs:  authorities,
		ClientAuth: tls.VerifyClientCertIfGiven,
	}
	if it.Required {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	server := &http.Server{TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	if !it.HTTP2 {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	check(server.ServeTLS(listener, it.Certificate, it.Key))
}

func who(response http.ResponseWriter, request *http.Request) {
	subject := ""
	if certificates := request.TLS.PeerCertificates; len(certificates) > 0 {
		subject = certificates[0].Subject.String()
	}
	fmt.Fprintf(response, "subject=%s group=%s", subject, request.TLS.CurveID)
}

func sum(response http.ResponseWriter, request *http.Request) {
	hash := sha256.New()
	length, err := io.Copy(hash, request.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(response, `{"length":%d,"sha256":"%s"}`, length, hex.EncodeToString(hash.Sum(nil)))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
