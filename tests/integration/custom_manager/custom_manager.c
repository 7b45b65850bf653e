/*
 * An extension with a resource manager of its own, as index methods and table methods outside of Postgres have one: its one
 * record sets the hint "this page is full" of a page. Compiled and loaded by custom_manager_test.cpp.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xlog_internal.h"
#include "access/xloginsert.h"
#include "access/xlogutils.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/pg_lsn.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

#define TOUCH_MANAGER 201
#define TOUCH_PAGE 0x10
#define TOUCH_NOTHING 0x20

void _PG_init(void);

static void touch_redo(XLogReaderState *record) {
  Buffer buffer;
  if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) == TOUCH_NOTHING) return;
  if (XLogReadBufferForRedo(record, 0, &buffer) == BLK_NEEDS_REDO) {
    PageSetFull(BufferGetPage(buffer));
    PageSetLSN(BufferGetPage(buffer), record->EndRecPtr);
    MarkBufferDirty(buffer);
  }
  if (BufferIsValid(buffer)) UnlockReleaseBuffer(buffer);
}

static void touch_describe(StringInfo text, XLogReaderState *record) { appendStringInfoString(text, "touched"); }

static const char *touch_identify(uint8 info) {
  switch (info & ~XLR_INFO_MASK) {
    case TOUCH_PAGE: return "PAGE";
    case TOUCH_NOTHING: return "NOTHING";
    default: return NULL;
  }
}

static RmgrData touch_manager = {
    .rm_name = "strata_test_touch", .rm_redo = touch_redo, .rm_desc = touch_describe, .rm_identify = touch_identify};

void _PG_init(void) {
  if (process_shared_preload_libraries_in_progress) RegisterCustomRmgr(TOUCH_MANAGER, &touch_manager);
}

/* touch_page(relation regclass, block int, whole bool): whole puts an image of the page into the record. */
PG_FUNCTION_INFO_V1(touch_page);
Datum touch_page(PG_FUNCTION_ARGS) {
  Relation relation = relation_open(PG_GETARG_OID(0), RowExclusiveLock);
  Buffer buffer = ReadBuffer(relation, PG_GETARG_INT32(1));
  XLogRecPtr end;
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  START_CRIT_SECTION();
  PageSetFull(BufferGetPage(buffer));
  MarkBufferDirty(buffer);
  XLogBeginInsert();
  XLogRegisterBuffer(0, buffer, REGBUF_STANDARD | (PG_GETARG_BOOL(2) ? REGBUF_FORCE_IMAGE : REGBUF_NO_IMAGE));
  end = XLogInsert(TOUCH_MANAGER, TOUCH_PAGE);
  PageSetLSN(BufferGetPage(buffer), end);
  END_CRIT_SECTION();
  UnlockReleaseBuffer(buffer);
  relation_close(relation, RowExclusiveLock);
  PG_RETURN_LSN(end);
}

/* A record without a block. */
PG_FUNCTION_INFO_V1(touch_nothing);
Datum touch_nothing(PG_FUNCTION_ARGS) {
  static char payload[] = "nothing";
  XLogBeginInsert();
  XLogRegisterData(payload, sizeof payload);
  PG_RETURN_LSN(XLogInsert(TOUCH_MANAGER, TOUCH_NOTHING));
}
