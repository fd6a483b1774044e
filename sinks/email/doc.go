// Package email is the sink that sends alerts as e-mail, over SMTP.
//
// It sits behind the dispatcher of package sinks. A call is one message, of one alert or of
// a group, as text and as HTML, to all recipients. The connection is encrypted, by STARTTLS
// or from the start, unless that is switched off; the login is PLAIN or LOGIN, and only over
// TLS. The Message-ID is made from the alerts' ids, by which mail systems know what comes
// again after a crash.
//
// What a server says is told apart by its code and by what it answers: 4xx passes; 5xx to
// the login, the sender or a recipient is a fault of the configuration; 5xx to the message
// itself is the alert's.
//
// Open email.go first, which talks; message.go writes.
package email
