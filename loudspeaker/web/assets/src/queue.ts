/** Reports that wait in the phone until there is a link (IndexedDB). */

export type Waiting = { key: string; url: string; fields: [string, string][]; photo: Blob | null; at: number };

const STORE = "reports";

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const request = indexedDB.open("loudspeaker", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

async function within<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  return new Promise((done, failed) => {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => {
      database.close();
      done(request.result);
    };
    transaction.onerror = transaction.onabort = () => failed(transaction.error);
  });
}

export const put = (report: Waiting): Promise<unknown> => within("readwrite", (store) => store.put(report));
export const remove = (key: string): Promise<unknown> => within("readwrite", (store) => store.delete(key));
export const all = (): Promise<Waiting[]> => within<Waiting[]>("readonly", (store) => store.getAll());
