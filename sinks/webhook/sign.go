package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header that a signature is sent in.
const SignatureHeader = "Cepheus-Signature"

// Sign signs a body: "t=" and the seconds since 1970, ",v1=" and, in hexadecimal, the
// HMAC-SHA256 of those seconds, a point and the body. The time is of the attempt, so that
// a receiver can refuse what someone has kept and sends again.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret, t string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Verify is what a receiver does: it checks a signature, and that it is of at most tolerance
// before or after now.
func Verify(secret, signature string, now time.Time, tolerance time.Duration, body []byte) error {
	t, v1, ok := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	seconds, err := strconv.ParseInt(t, 10, 64)
	if !ok || err != nil {
		return errors.New("the signature is not of the form t=SECONDS,v1=HEX")
	}
	sent, err := hex.DecodeString(v1)
	if err != nil || !hmac.Equal(sent, mac(secret, t, body)) {
		return errors.New("the signature is not of this body and secret")
	}
	if off := now.Sub(time.Unix(seconds, 0)).Abs(); off > tolerance {
		return fmt.Errorf("the signature is of %s before or after now", off)
	}
	return nil
}
