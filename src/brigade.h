#pragma once

// The public face of brigade: all that a program includes.

#ifndef __linux__
#error \
    "brigade runs on Linux only: it is built on epoll, signalfd, pidfd, memfd"
#endif

#include "brigade/Connection/TcpConnection.h"
#include "brigade/Process/Program.h"
#include "brigade/Protocol/Frame.h"
#include "brigade/Protocol/HttpForm.h"
#include "brigade/Protocol/Message.h"
#include "brigade/Protocol/Multipart.h"
#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/Tcp.h"
#include "brigade/Protocol/Text.h"
#include "brigade/Worker/FileSessionStore.h"
#include "brigade/Worker/HttpConnection.h"
#include "brigade/Worker/HttpFiles.h"
#include "brigade/Worker/HttpRouter.h"
#include "brigade/Worker/HttpSession.h"
#include "brigade/Worker/HttpSessions.h"
#include "brigade/Worker/HttpUpload.h"
#include "brigade/Worker/HttpWorker.h"
#include "brigade/Worker/Log.h"
#include "brigade/Worker/Run.h"
#include "brigade/Worker/RunConfig.h"
#include "brigade/Worker/SessionStore.h"
#include "brigade/Worker/WebSocketConnection.h"
#include "brigade/Worker/WebSocketWorker.h"
#include "brigade/Worker/Worker.h"
