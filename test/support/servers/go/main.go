// A server of Go's net/http with a listener for each setting in the JSON file that it is given.
//
//go:debug tlsmlkem=1
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
	"strconv"
	"strings"
	"time"
)

type setting struct {
	Port, IdleSeconds                 int
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
	http.HandleFunc("/bytes", sendBytes)
	http.HandleFunc("/head", sendHead)
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
	server.IdleTimeout = time.Duration(it.IdleSeconds) * time.Second
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

// Fields of 4,000 bytes.
func sendHead(response http.ResponseWriter, request *http.Request) {
	size, err := strconv.Atoi(request.URL.Query().Get("size"))
	if err != nil {
		http.Error(response, "no size", http.StatusBadRequest)
		return
	}
	for at := 0; at*4000 < size; at++ {
		response.Header().Set(fmt.Sprintf("X-Part-%d", at), strings.Repeat("y", 4000))
	}
	fmt.Fprint(response, "ok")
}

// Byte i is i mod 251, from the start again every 64 KiB.
func sendBytes(response http.ResponseWriter, request *http.Request) {
	left, err := strconv.Atoi(request.URL.Query().Get("size"))
	if err != nil {
		http.Error(response, "no size", http.StatusBadRequest)
		return
	}
	block := make([]byte, 1<<16)
	for i := range block {
		block[i] = byte(i % 251)
	}
	response.Header().Set("Content-Length", strconv.Itoa(left))
	for ; left > 0; left -= len(block) {
		if _, err := response.Write(block[:min(left, len(block))]); err != nil {
			return
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
